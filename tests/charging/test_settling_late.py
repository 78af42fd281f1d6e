"""A worker that slept while others went on: what it was to settle is settled, and what is open now is none of its business."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from building import Life, wired

from recovery.cases.answers import Answer, NotSent, Unknown
from recovery.cases.facts import AttemptAnswered
from recovery.cases.lifecycle import StepKind
from recovery.charging.settle import SettleAttempt
from recovery.engine.advance import advance
from recovery.gateways.port import ChargeOrder, Gateway
from recovery.storage.lease_store import release_step
from recovery.storage.step_store import ClaimedStep, claim_steps

UNANSWERED = Unknown(detail="timeout")


@pytest.fixture
def life(database_url: str) -> Iterator[Life]:
    with wired(database_url) as wiring:
        yield Life(wiring)


class Knows:
    """A gateway that has heard of nothing, and remembers what it was asked about."""

    call_bound_seconds = 10.0

    def __init__(self) -> None:
        self.asked: list[str] = []

    def settle(self, order: ChargeOrder) -> Answer | None:
        self.asked.append(order.key)
        return None


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
