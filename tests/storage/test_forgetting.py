"""A customer is forgotten: no row tells anything of him, and the books are as before."""

from dataclasses import replace

import pytest
from building import Life, renewing
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from recovery.cases import facts
from recovery.cases.answers import Unknown
from recovery.cases.lifecycle import State, StepKind
from recovery.cases.past import PastCharge, PastInvoice
from recovery.declines.signals import Card
from recovery.money import Money
from recovery.runtime.clock import machine_now
from recovery.storage.columns import metadata
from recovery.storage.event_store import StoredEvent, claim_events, store_event
from recovery.storage.forgetting import StillOpen, forget
from recovery.storage.objection_store import address_is_listed, keep_objection
from recovery.storage.past_store import save_charges, save_invoices
from recovery.storage.subscription_store import current_customers, save_subscriptions
from recovery.storage.tables import steps


def dump(life: Life, *, but: tuple[str, ...] = ()) -> str:
    with life.wiring.database.connect() as tx:
        tables = [table.name for table in metadata.sorted_tables if table.name not in but]
        return "".join(str(tx.execute(text(f"SELECT * FROM {name}")).all()) for name in tables)


def books(life: Life) -> list[tuple[object, ...]]:
    with life.wiring.database.connect() as tx:
        return [
            tuple(row) for row in tx.execute(text("SELECT kind, ref, amount_minor, currency FROM ledger ORDER BY id"))
        ]


def test_a_forgotten_customer_is_named_nowhere_and_the_books_stay(life: Life) -> None:
    gone, stays = life.fail("in_gone"), life.fail("in_stays")
    for case_id in (gone, stays):
        life.refresh(case_id)
        life.attempt(case_id)
    life.pay(gone)
    event = StoredEvent(
        gateway="stripe",
        id="evt_1",
        kind="invoice.paid",
        livemode=False,
        created_at=machine_now(),
        object_id="in_gone",
        content={"customer": "cus_in_gone", "invoice": "in_gone"},
        idempotency_key=None,
        caused_by_request=False,
    )
    with life.wiring.database.begin() as tx:
        store_event(tx, event, machine_now=machine_now())
        keep_objection(tx, "cus_in_gone", "unsubscribed", at=machine_now())
        address_is_listed(tx, "cus_in_gone")
    before = books(life)
    assert "fp_in_gone" in dump(life)
    with life.wiring.database.begin() as tx:
        told = forget(tx, "cus_in_gone", pseudonym="forgotten_1")
    assert (told.cases, told.events) == (1, 1)
    left = dump(life)
    for trace in ("cus_in_gone", "fp_in_gone", "pm_in_gone", "sub_in_gone"):
        assert trace not in left, trace
    assert "fp_in_stays" in left
    assert books(life) == before
    case = life.case(gone)
    assert (case.customer, case.state) == ("forgotten_1", State.RECOVERED)
    assert case.card is not None
    assert case.card.brand == "visa"
    life.tell(gone, facts.PaymentMethodChanged(event_id="evt_2", what="news of what has ended still finds its case"))


def test_an_open_case_is_not_forgotten(life: Life) -> None:
    life.fail("in_open")
    before = dump(life)
    with life.wiring.database.begin() as tx, pytest.raises(StillOpen, match="case_in_open"):
        forget(tx, "cus_in_open", pseudonym="forgotten_1")
    assert dump(life) == before


def reasons(life: Life, case_id: str) -> list[str]:
    with life.wiring.database.connect() as tx:
        query = text("SELECT reason FROM journal WHERE case_id = :id ORDER BY id")
        return list(tx.execute(query, {"id": case_id}).scalars())


def test_the_journal_keeps_what_was_decided_and_forgets_digits_and_notes(life: Life) -> None:
    gone, stays = life.fail("in_gone"), life.fail("in_stays")
    for case_id in (gone, stays):
        life.refresh(case_id)
        life.attempt(case_id, life.declined("lost_card"))
        life.tell(case_id, facts.PersonDecided(to=State.LOST, note="Kim called from 0123", decided_at=life.at))
        life.tell(case_id, facts.CardKept(step_id=9, payment_method="pm_1Gone", refused=None))
    before = reasons(life, gone)
    assert any("4242" in reason for reason in before)
    assert any("pm_1Gone" in reason for reason in before)
    with life.wiring.database.begin() as tx:
        forget(tx, "cus_in_gone", pseudonym="forgotten_1")
    after = reasons(life, gone)
    assert len(after) == len(before)
    assert not any("4242" in reason or "Kim" in reason or "pm_1" in reason for reason in after)
    assert sum(old != new for old, new in zip(before, after, strict=True)) < len(before)
    assert [reason for reason in reasons(life, stays) if "4242" in reason or "Kim" in reason]


@pytest.mark.parametrize(
    ("reason", "erased"),
    [
        ("visa ••4242; odd: pm_1Nx_y: expiry missing", "visa ••; odd: a card: expiry missing"),
        ("on card_1NZex82eZvKYlo2C, src_1NZex82eZvKYlo2C", "on a card, a card"),
        ("declined: card_declined, card_velocity_exceeded", "declined: card_declined, card_velocity_exceeded"),
    ],
)
def test_names_and_digits_of_cards_are_erased_and_codes_are_not(life: Life, reason: str, erased: str) -> None:
    with life.wiring.database.connect() as tx:
        query = text("SELECT erased_reason(:reason, 'CardRefreshed')")
        assert tx.execute(query, {"reason": reason}).scalar_one() == erased


def test_the_journal_takes_no_other_change(life: Life) -> None:
    life.pay(life.fail("in_1"))
    for change in ("reason = 'nothing happened'", "reason = reason, at = now()", "state = 'lost'"):
        with pytest.raises(DBAPIError, match="append-only"), life.wiring.database.begin() as tx:
            tx.execute(text(f"UPDATE journal SET {change}"))
    with pytest.raises(DBAPIError, match="append-only"), life.wiring.database.begin() as tx:
        tx.execute(text("DELETE FROM journal"))


def test_reading_the_gateways_lists_again_brings_nobody_back(life: Life) -> None:
    amount, at = Money(minor=900, currency="usd"), machine_now()
    sold = renewing("9", 900, since=at, customer="cus_gone")
    billed = PastInvoice(
        id="in_9", customer="cus_gone", subscription="sub_9", amount=amount, created_at=at, state="open"
    )
    card = Card(payment_method="pm_gone", brand="visa", fingerprint="fp_gone")
    tried = PastCharge(
        id="ch_9", customer="cus_gone", amount=amount, created_at=at, card=card, succeeded=False, reached_network=True
    )

    def read(state: str) -> None:
        with life.wiring.database.begin() as tx:
            save_subscriptions(tx, [sold, replace(sold, id="sub_8", customer="cus_stays")], read_at=at)
            save_invoices(tx, [replace(billed, state=state)])
            save_charges(tx, [tried])

    read("open")
    with life.wiring.database.begin() as tx:
        forget(tx, "cus_gone", pseudonym="forgotten_1")
    read("paid")
    left = dump(life)
    assert [trace for trace in ("cus_gone", "fp_gone", "pm_gone") if trace in left] == []
    assert left.count("'sub_9'") == 1, "which subscription there was is in the books, not which invoices it had"
    assert "'paid'" in left, "what does not tell who it was is read anew"
    with life.wiring.database.connect() as tx:
        assert current_customers(tx, behind=None, limit=9) == [("cus_stays", "sub_8")], "nobody to ask for cards"


def told_of(life: Life, kind: str, object_id: str, **content: object) -> StoredEvent:
    event = StoredEvent(
        gateway="stripe",
        id=f"evt_{kind}",
        kind=kind,
        livemode=False,
        created_at=machine_now(),
        object_id=object_id,
        content={"customer": "cus_in_gone", "payment_method": "pm_in_gone"} | content,
        idempotency_key=None,
        caused_by_request=False,
    )
    with life.wiring.database.begin() as tx:
        store_event(tx, event, machine_now=machine_now())
    return event


def test_news_that_still_waits_reaches_the_books_though_its_customer_is_forgotten(life: Life) -> None:
    """Refunded and forgotten in one go: the refund's event waits for a worker."""
    charge = life.pay(life.fail("in_gone"))
    told_of(life, "charge.refunded", charge, charge=charge)
    told_of(life, "payment_method.updated", "pm_in_gone", last4="4242")
    with life.wiring.database.begin() as tx:
        assert forget(tx, "cus_in_gone", pseudonym="forgotten_1").events == 2
    left = dump(life)
    assert [trace for trace in ("cus_in_gone", "pm_in_gone", "4242") if trace in left] == []
    with life.wiring.database.begin() as tx:
        waiting = claim_events(tx, machine_now=machine_now(), lease_until=machine_now(), limit=9)
    assert [(event.object_id, event.content) for event in waiting] == [(charge, {"charge": charge}), ("forgotten", {})]


def test_an_ended_case_has_nothing_left_to_do_once_its_customer_is_forgotten(life: Life) -> None:
    """A card to keep, a question to ask: both would fail for ever, or write to somebody who is forgotten."""
    case_id = life.fail("in_gone")
    life.pay(case_id)
    with life.wiring.database.begin() as tx:
        for kind in (StepKind.KEEP_CARD, StepKind.ASK_REASON):
            tx.execute(steps.insert().values(case_id=case_id, kind=kind, state="planned", due_at=life.at))
        forget(tx, "cus_in_gone", pseudonym="forgotten_1")
    assert life.case(case_id).steps == ()


def test_who_has_a_charge_under_way_is_forgotten_when_it_is_settled(life: Life) -> None:
    case_id = life.fail("in_gone")
    life.attempt(case_id, Unknown(detail="timeout"))
    life.tell(case_id, facts.SubscriptionCancelled(subscription="sub_in_gone", at=life.at))
    before = dump(life)
    with life.wiring.database.begin() as tx, pytest.raises(StillOpen, match="settle_attempt of case_in_gone"):
        forget(tx, "cus_in_gone", pseudonym="forgotten_1")
    assert dump(life) == before
