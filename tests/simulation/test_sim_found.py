"""What runs of the simulation found, each as the shortest story that shows it, without dice."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sim_books import Booked, Called, Invoice
from sim_faults import KINDS
from sim_judge import judge
from sim_play import Run, Wish
from sim_rules import shipped
from sim_till import Payer
from sqlalchemy import Engine, text

from recovery.cases.answers import Answer, Succeeded, Unknown
from recovery.cases.obligation import ChargeStatus, ObligationStatus
from recovery.cases.wallet import Wallet
from recovery.declines.networks import Cap, NetworkRules
from recovery.declines.signals import Card, Initiator
from recovery.gateways.port import ChargeOrder
from recovery.money import Money
from recovery.storage.connect import connect

CUSTOMER = Payer(initiator=Initiator.CUSTOMER)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    connected = connect(database_url)
    yield connected
    connected.dispose()


@pytest.fixture
def run(engine: Engine) -> Iterator[Run]:
    """One customer with one invoice on a card that lacks funds, and nobody who acts unasked."""
    made = Run(Wish(seed=5, customers=1, off=frozenset(KINDS)), engine)
    first = invoice(made)
    card = made.books.card_of(first)
    assert card is not None
    made.books.moods[card.budget_key] = "never"
    yield made
    made.eye.close()


def invoice(run: Run) -> Invoice:
    return next(iter(run.books.invoices.values()))


def until(run: Run, true: Callable[[], object]) -> None:
    for _ in range(300):
        if true():
            return
        assert run.quiet_turn(), "it never came to that"
    raise AssertionError("it did not come to that in 300 turns")


def to_the_end(run: Run) -> None:
    while run.quiet_turn():
        pass
    assert judge(run) == []


def row(run: Run, query: str) -> tuple[object, ...]:
    with run.database.connect() as tx:
        return tuple(tx.execute(text(query)).one())


def count(run: Run, query: str) -> int:
    with run.database.connect() as tx:
        return int(tx.execute(text(query)).scalar_one())


def approve(run: Run) -> None:
    for key in run.books.moods:
        run.books.moods[key] = "good"


def own_card(run: Run) -> Card:
    card = run.books.card_of(invoice(run))
    assert card is not None
    return card


def pay_part(run: Run) -> Booked:
    """The customer pays a third on the page, with a card that works."""
    before = dict(run.books.moods)
    approve(run)
    made = run.till.pay(invoice(run), own_card(run), CUSTOMER, part=Money(minor=300, currency=_currency(run)))
    run.books.moods.update(before)
    assert made.status is ChargeStatus.SUCCEEDED
    return made


def _currency(run: Run) -> str:
    return invoice(run).remaining.currency


def opened(run: Run) -> int:
    return count(run, "SELECT count(*) FROM cases")


def test_our_charge_after_a_customers_part_payment_is_credited_to_us(run: Run) -> None:
    """The news of a payment speaks of one charge; the handler took it for the author of all that it read."""
    until(run, lambda: opened(run))
    pay_part(run)
    approve(run)
    until(run, lambda: any(c.key and c.status is ChargeStatus.SUCCEEDED for c in run.books.charges.values()))
    to_the_end(run)
    with run.database.connect() as tx:
        found = tx.execute(text("SELECT source FROM ledger WHERE kind = 'recovered'")).scalars().all()
    assert sorted(found) == ["customer_unasked", "silent_retry"]


@pytest.mark.parametrize("dispute", [True, False])
def test_money_that_went_back_is_booked_although_its_coming_was_never_told(run: Run, dispute: bool) -> None:
    """The reversal was set aside after three minutes: its payment's own news was lost."""
    until(run, lambda: opened(run))
    part = pay_part(run)
    run.post.lose_all()
    if dispute:
        run.till.dispute(part)
    else:
        run.till.refund(part, 100)
    kind = "dispute_opened" if dispute else "refunded"
    until(run, lambda: count(run, f"SELECT count(*) FROM ledger WHERE kind = '{kind}'"))
    to_the_end(run)


def test_a_decline_that_lands_after_settling_still_counts(run: Run) -> None:
    """Its webhook was taken for known, and the card's budget forgot a try that reached the network."""
    until(run, lambda: opened(run))
    orders: list[ChargeOrder] = []
    real = run.gateway.land

    def unheard(order: ChargeOrder, *rest: object, **others: object) -> Unknown:
        orders.append(order)
        run.gateway.land = real  # type: ignore[method-assign]
        return Unknown(detail="timeout")

    run.gateway.land = unheard  # type: ignore[method-assign]
    until(run, lambda: count(run, "SELECT count(*) FROM attempts WHERE status = 'not_sent'"))
    call = next(call for call in run.books.calls if call.key == orders[0].key)
    call.fault = "unanswered_beyond"
    run.gateway.land(orders[0], call, beyond=True)
    until(run, lambda: run.books.calls[0].landed_at)
    until(run, lambda: count(run, "SELECT count(*) FROM attempts WHERE number = 1 AND status = 'declined' AND counts"))
    to_the_end(run)


def test_money_that_a_key_brings_when_it_is_executed_again_is_booked(run: Run) -> None:
    """Its first execution was declined: the outcome of the attempt was known, and the money of the second in nobody's book."""
    until(run, lambda: opened(run))
    orders: list[ChargeOrder] = []
    real = run.gateway.land

    def listened(order: ChargeOrder, call: Called, **others: bool) -> Answer:
        orders.append(order)
        return real(order, call, **others)

    run.gateway.land = listened  # type: ignore[method-assign]
    until(run, lambda: count(run, "SELECT count(*) FROM attempts WHERE status = 'declined'"))
    run.till.cancel(invoice(run))
    until(run, lambda: row(run, "SELECT state FROM cases") == ("withdrawn",))
    approve(run)
    run.books.calls[0].fault = "key_expired"
    run.books.keys.clear()
    assert isinstance(real(orders[0], run.books.calls[0], beyond=True), Succeeded)
    until(run, lambda: row(run, "SELECT state FROM cases") == ("recovered",))
    assert row(run, "SELECT source FROM ledger WHERE kind = 'recovered'") == ("silent_retry",)
    to_the_end(run)


def test_an_invoice_that_is_gone_goes_to_a_person_instead_of_an_endless_backoff(run: Run) -> None:
    until(run, lambda: opened(run))
    invoice(run).gone = True
    until(run, lambda: count(run, "SELECT count(*) FROM cases WHERE state = 'review'"))
    assert count(run, "SELECT max(failures) FROM steps") == 0


def test_a_cancellation_between_reading_and_firing_stops_the_try(run: Run) -> None:
    """What was read said open; the case had ended meanwhile; the customer who had left was charged all the same."""
    until(run, lambda: opened(run))
    until(run, lambda: count(run, "SELECT count(*) FROM steps WHERE kind = 'charge_card' AND state = 'planned'"))
    real = run.gateway.read_wallet

    def meanwhile_cancelled(obligation: object) -> Wallet:
        run.gateway.read_wallet = real  # type: ignore[method-assign]
        run.till.cancel(invoice(run))
        run.clocks.tick(5)
        run.post.deliver(run.database, run.gateway, most=10)
        run.events()
        return run.books.wallet_of(invoice(run))

    run.gateway.read_wallet = meanwhile_cancelled  # type: ignore[method-assign]
    to_the_end(run)
    assert run.books.calls == []
    assert row(run, "SELECT state FROM cases") == ("withdrawn",)


def test_a_cards_budget_is_kept_however_often_its_bank_refuses(run: Run) -> None:
    """Random worlds seldom bring a tight limit and a stubborn bank together; without reserved tries this one makes four."""
    cap = Cap(tries_max=2, window_hours=720, per_amount=False)
    known = replace(
        shipped(),
        networks=NetworkRules(packs=[replace(pack, caps=(*pack.caps, cap)) for pack in shipped().networks.packs]),
    )
    run.editions = [(run.clocks.at, known)]
    run.shelf.put(known, run.clocks.machine())
    to_the_end(run)
    assert count(run, "SELECT count(*) FROM attempts") == 1, "the failure that opened the case was the first of two"


def test_a_worker_that_slept_after_it_began_an_email_does_not_send_it(run: Run) -> None:
    """Random worlds seldom put a worker to sleep between these two edges; what it sent then came long after its lease."""
    strikes = run.faults.strikes
    slept: list[str] = []

    def asleep_once(kind: str) -> bool:
        if kind == "frozen" and not slept and count(run, "SELECT count(*) FROM emails WHERE status = 'sending'"):
            slept.append(kind)
            run.clocks.tick(2000)
        return strikes(kind)

    run.faults.strikes = asleep_once  # type: ignore[method-assign]
    to_the_end(run)
    assert slept
    assert run.mailer.left, "the letter was sent by who came after"


def save_card_unheard(run: Run) -> Card:
    """The customer saves a card that works; the news of it is lost, and nobody reads the gateway's lists."""
    run.post.lose_all()
    run.people.changes_card(invoice(run))
    approve(run)
    run.post.lose_all()
    return own_card(run)


def test_a_card_that_nobody_could_know_of_is_no_fault_when_the_merchant_gives_up(run: Run) -> None:
    """Seed 1960: its news was lost, the next reading was days off, and the merchant wrote the invoice off before it."""
    until(run, lambda: count(run, "SELECT count(*) FROM steps WHERE kind = 'charge_card' AND state = 'planned'"))
    save_card_unheard(run)
    run.people.plan(86_400 * 5, lambda: run.people.ends(invoice(run), ObligationStatus.UNCOLLECTIBLE))
    run.clocks.jump(run.clocks.at + timedelta(days=5, seconds=1))
    to_the_end(run)
    assert row(run, "SELECT state FROM cases") == ("lost",)


def test_a_card_that_a_reading_shows_in_passing_is_charged_at_once(run: Run) -> None:
    """The invoice was read for a part payment, showed the card whose news was lost, and the next try was left days off."""
    until(run, lambda: count(run, "SELECT count(*) FROM steps WHERE kind = 'charge_card' AND state = 'planned'"))
    card = save_card_unheard(run)
    before = run.clocks.at
    pay_part(run)
    until(run, lambda: run.books.calls)
    assert run.books.calls[0].at - before < timedelta(hours=1)
    to_the_end(run)
    assert [charge.card for charge in run.books.charges.values() if charge.key] == [card]
