"""A worker that slept while others went on: what it was to settle is settled, and what is open now is none of its business."""

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from building import Life
from sqlalchemy import text

from recovery.cases.answers import Answer, NotSent, Processing, Succeeded, Unknown
from recovery.cases.facts import AttemptAnswered, LeaseLapsed
from recovery.cases.lifecycle import AttemptStatus, StepKind
from recovery.cases.obligation import Obligation, ObligationStatus
from recovery.charging.settle import SettleAttempt
from recovery.declines.signals import Initiator
from recovery.engine.advance import advance
from recovery.engine.claims import Postponed
from recovery.gateways.port import ChargeOrder, Gateway
from recovery.money import Money
from recovery.storage.lease_store import release_step
from recovery.storage.step_store import ClaimedStep, claim_steps

UNANSWERED = Unknown(detail="timeout")
_BOOKED = text("SELECT charge_id, amount_minor, source FROM ledger WHERE source IS NOT NULL")


class Knows:
    """A gateway that tells one thing, or has heard of nothing, and remembers what it was asked about."""

    call_bound_seconds = 10.0

    def __init__(self, answer: Answer | None = None, obligation: Obligation | None = None) -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._obligation = obligation

    def settle(self, order: ChargeOrder) -> Answer | None:
        self.asked.append(order.key)
        return self._answer

    def read_obligation(self, _: str) -> Obligation:
        assert self._obligation is not None
        return self._obligation


def settling(life: Life) -> ClaimedStep:
    """A claim of the step that settles, when the call's bound has passed."""
    moment = replace(life.door.moment(), machine_now=life.door.moment().machine_now + timedelta(hours=1))
    with life.wiring.database.begin() as tx:
        (step,) = claim_steps(tx, (StepKind.SETTLE_ATTEMPT,), moment=moment, limit=1, lease_seconds=60)
    return step


def test_a_settler_that_slept_leaves_the_next_attempt_alone(life: Life) -> None:
    """It would read at once what became of a call that may land for a while yet, find nothing, and let it be made again."""
    case_id = life.fail("in_1")
    life.attempt(case_id, UNANSWERED)
    slept = settling(life)
    with life.wiring.database.begin() as tx:
        assert release_step(tx, slept, hold_until=life.door.moment().machine_now, ended=False)
    nothing = NotSent(detail="read after the bound")
    first, *_ = life.case(case_id).attempts
    advance(life.door, case_id, AttemptAnswered(attempt_id=first.id, answer=nothing), step=settling(life))
    life.attempt(case_id, UNANSWERED)
    gateway = Knows()
    settle = SettleAttempt(life.door, cast(Gateway, gateway))
    settle(slept)
    second = life.case(case_id).open_attempt
    assert second is not None
    assert gateway.asked == []
    settle(settling(life))
    assert gateway.asked == [second.id]
    assert life.case(case_id).open_attempt is None


@pytest.mark.parametrize("answered", [True, False])
def test_a_settler_that_begins_late_leaves_the_attempt_alone_that_began_meanwhile(
    life: Life, *, answered: bool
) -> None:
    """Seed 181962: it held its step when an event settled the attempt that the step was planned for, and another one began."""
    case_id = life.fail("in_1")
    first = life.attempt(case_id, UNANSWERED).case.open_attempt
    assert first is not None
    late = settling(life)
    life.tell(case_id, AttemptAnswered(attempt_id=first.id, answer=NotSent(detail="read after the bound")))
    second, step = life.begin(case_id)
    if answered:
        life.tell(case_id, AttemptAnswered(attempt_id=second.id, answer=UNANSWERED))
    gateway = Knows()
    settle = SettleAttempt(life.door, cast(Gateway, gateway))
    if answered:
        with pytest.raises(Postponed):
            settle(late)
        with life.wiring.database.begin() as tx:
            assert release_step(tx, late, hold_until=life.door.moment().machine_now)
            moment, kinds = life.door.moment(), (StepKind.SETTLE_ATTEMPT,)
            assert claim_steps(tx, kinds, moment=moment, limit=1, lease_seconds=60) == [], (
                "the call may land until its bound"
            )
        settle(settling(life))
        assert gateway.asked == [second.id]
    else:
        settle(late)
        assert gateway.asked == []
        advance(life.door, case_id, AttemptAnswered(attempt_id=second.id, answer=UNANSWERED), step=step)
        assert life.case(case_id).step(StepKind.SETTLE_ATTEMPT) is not None


def test_a_charge_that_is_found_processing_is_noted_once_and_then_waited_for(life: Life) -> None:
    case_id = life.fail("in_1")
    life.attempt(case_id, UNANSWERED)
    settle = SettleAttempt(life.door, cast(Gateway, Knows(Processing(charge_id="ch_slow"))))
    settle(settling(life))
    attempt = life.case(case_id).open_attempt
    assert attempt is not None
    assert (attempt.status, attempt.charge_id) == (AttemptStatus.PROCESSING, "ch_slow")
    life.at += timedelta(hours=1)
    with pytest.raises(Postponed, match="has not decided yet"):
        settle(settling(life))


def test_a_worker_that_slept_during_its_call_does_not_take_back_that_the_charge_was_accepted(life: Life) -> None:
    """Seed 140868: it woke with a timeout, and the next reading told what was known; that left the case without a wake-up."""
    case_id = life.fail("in_1")
    attempt, step = life.begin(case_id)
    advance(life.door, case_id, LeaseLapsed(attempt_id=attempt.id), step=step)
    settle = SettleAttempt(life.door, cast(Gateway, Knows(Processing(charge_id="ch_slow"))))
    settle(settling(life))
    advance(life.door, case_id, AttemptAnswered(attempt_id=attempt.id, answer=UNANSWERED), step=step)
    known = life.case(case_id).open_attempt
    assert known is not None
    assert known.status is AttemptStatus.PROCESSING
    life.at += timedelta(hours=1)
    with pytest.raises(Postponed, match="has not decided yet"):
        settle(settling(life))


def test_who_else_paid_a_part_is_told_once_our_own_try_is_found_to_have_paid_the_rest(life: Life) -> None:
    """As long as an attempt is open nobody can tell their charge from ours: their money would be booked as won by us."""
    case_id = life.fail("in_1")
    attempt = life.attempt(case_id, UNANSWERED).case.open_attempt
    assert attempt is not None
    part = life.paid_by(case_id)
    theirs = replace(part, amount=Money(minor=1900, currency="usd"))
    ours = replace(part, id="ch_ours", amount=Money(minor=3000, currency="usd"), initiator=Initiator.ENGINE)
    paid = replace(
        life.owed(case_id),
        status=ObligationStatus.PAID,
        remaining=Money(minor=0, currency="usd"),
        charges=(theirs, ours),
    )
    SettleAttempt(life.door, cast(Gateway, Knows(Succeeded(charge=ours), paid)))(settling(life))
    with life.wiring.database.connect() as tx:
        booked = {row.charge_id: (row.amount_minor, row.source) for row in tx.execute(_BOOKED)}
    assert booked == {"ch_ours": (3000, "silent_retry"), theirs.id: (1900, "customer_unasked")}
