"""One customer's invoices: the oldest first, and one success wakes the others, on a real database."""

from dataclasses import replace
from datetime import timedelta

import pytest
from building import Life, _card
from sqlalchemy import text

from recovery.cases.facts import PaymentFailed, PolicyMoved, SiblingRecovered
from recovery.cases.lifecycle import State, StepKind
from recovery.charging.siblings import WakeSiblings
from recovery.engine.advance import advance, open_case
from recovery.engine.claims import perform_due
from recovery.storage.case_queries import timeline
from recovery.storage.step_store import ClaimedStep


def siblings(life: Life) -> tuple[str, str]:
    """Two invoices of one customer that fail an hour apart."""
    first = life.fail("in_1")
    owed = life._owed[first]
    charge = replace(owed.charges[0], id="ch_second", created_at=life.at + timedelta(hours=1), card=_card("in_2"))
    younger = replace(owed, id="in_2", charges=(charge,))
    open_case(life.door, PaymentFailed(charge=charge, obligation=younger), gateway="stripe")
    life._owed["case_in_2"] = younger
    return first, "case_in_2"


def reasons(life: Life, case_id: str) -> list[str]:
    with life.wiring.database.connect() as tx:
        return [line.reason for line in timeline(tx, case_id)]


def test_the_cards_that_died_on_one_invoice_are_dead_for_those_beside_it_and_no_others(life: Life) -> None:
    """An entry without a number is for the older one alone to judge; a later failure asks for the card anew."""
    older, younger = siblings(life)
    died = """UPDATE cases SET dead_cards = jsonb_build_array(jsonb_set(card, '{fingerprint}', '"fp_dead"'), card - 'fingerprint')
        WHERE id = :older"""
    with life.wiring.database.begin() as tx:
        tx.execute(text(died), {"older": older})
    assert [card.fingerprint for card in life.case(younger).dead_cards] == ["fp_dead"]
    assert [card.fingerprint for card in life.case(older).dead_cards] == ["fp_dead", None]
    life.at += timedelta(hours=20)
    life.pay(older)
    assert [card.fingerprint for card in life.case(younger).dead_cards] == ["fp_dead"], "as it was before"
    with life.wiring.database.begin() as tx:
        tx.execute(text("UPDATE cases SET failed_at = :at WHERE id = :id"), {"at": life.at, "id": younger})
    assert life.case(younger).dead_cards == (), "which failed when that one was over"


def test_a_card_that_paid_after_all_is_dead_for_nobody(life: Life) -> None:
    older, younger = siblings(life)
    with life.wiring.database.begin() as tx:
        tx.execute(text("UPDATE cases SET dead_cards = jsonb_build_array(card) WHERE id = :older"), {"older": older})
    assert len(life.case(younger).dead_cards) == 1
    life.at += timedelta(hours=20)
    life.pay(older)
    assert life.case(older).dead_cards == life.case(younger).dead_cards == ()


def test_the_younger_waits_for_the_older(life: Life) -> None:
    older, younger = siblings(life)
    life.refresh(older)
    life.refresh(younger)
    with pytest.raises(AssertionError, match="the try was not made"):
        life.attempt(younger)
    assert "older invoice goes first" in reasons(life, younger)[-1]
    planned = [life.case(each).step(StepKind.CHARGE_CARD) for each in (older, younger)]
    assert planned[0] is not None
    assert planned[1] is not None
    assert planned[1].due_at > planned[0].due_at


def test_one_success_wakes_the_other_once(life: Life) -> None:
    older, younger = siblings(life)
    life.refresh(older)
    life.refresh(younger)
    before = life.case(younger).step(StepKind.CHARGE_CARD)
    life.at += timedelta(hours=20)
    life.pay(older)
    assert life.case(older).state is State.RECOVERED
    performers = {StepKind.WAKE_SIBLINGS: WakeSiblings(life.door)}
    assert perform_due(life.door, performers, batch=5, threads=1) == 1
    assert perform_due(life.door, performers, batch=5, threads=1) == 0
    after = life.case(younger).step(StepKind.CHARGE_CARD)
    assert before is not None
    assert after is not None
    assert after.due_at < before.due_at
    assert "a sibling invoice was paid" in reasons(life, younger)[-1]
    told = advance(life.door, younger, SiblingRecovered(case_id=older, at=life.at))
    assert told.decision is None


def test_a_woken_try_is_made(life: Life) -> None:
    older, younger = siblings(life)
    life.refresh(younger)
    life.at += timedelta(hours=20)
    life.pay(older)
    perform_due(life.door, {StepKind.WAKE_SIBLINGS: WakeSiblings(life.door)}, batch=5, threads=1)
    life.attempt(younger)
    assert life.case(younger).state is State.RECOVERED


def test_who_is_alone_wakes_nobody(life: Life) -> None:
    only = life.fail("in_9")
    life.pay(only)
    assert life.case(only).step(StepKind.WAKE_SIBLINGS) is None


def test_a_case_moves_to_another_policy_on_purpose(life: Life) -> None:
    case_id = life.fail("in_1")
    life.refresh(case_id)
    book = life.wiring.rulebook
    shorter = replace(book.rules_for(None, book.current).policy, name="shorter", horizon_days=2)  # type: ignore[arg-type]
    version = book.adopt(shorter, database=life.wiring.database, machine_now=life.at)
    before = life.case(case_id)
    assert before.policy != version
    life.tell(case_id, PolicyMoved(version=version, moved_at=life.at))
    after = life.case(case_id)
    assert after.policy == version
    assert after.horizon_at == before.failed_at + timedelta(days=2)
    assert after.state is State.DUNNING
    assert after.exhausted is not None
    assert "moved from policy" in reasons(life, case_id)[-1]


def test_outcomes_are_kept_by_the_issuer_s_clock(life: Life) -> None:
    case_id = life.fail("in_1")
    life.attempt(case_id, life.declined())
    life.attempt(case_id)
    with life.wiring.database.connect() as tx:
        rows = tx.execute(
            text(
                "SELECT country, funding, zone, local_hour, local_weekday, succeeded FROM attempt_outcomes ORDER BY number"
            )
        ).all()
    assert [(row.country, row.funding, row.zone, row.succeeded) for row in rows] == [
        ("US", "credit", "America/New_York", False),
        ("US", "credit", "America/New_York", True),
    ]
    assert all(12 <= row.local_hour < 17 and 1 <= row.local_weekday <= 5 for row in rows)


def test_the_dearest_try_of_a_batch_goes_first(life: Life) -> None:
    small, large, yen = (
        life.fail("in_1", minor=900),
        life.fail("in_2", minor=90_000),
        life.fail("in_3", minor=2_000, currency="jpy"),
    )
    for each in (small, large, yen):
        life.refresh(each)
    life.at += timedelta(days=7)
    tried: list[str] = []

    class Noted:
        lease_seconds = 60.0

        def __call__(self, step: ClaimedStep) -> None:
            tried.append(step.case_id)

    perform_due(life.door, {StepKind.CHARGE_CARD: Noted()}, batch=10, threads=1)
    assert tried == [large, yen, small]
