"""Claims, leases and the sweep: one order is performed once, and a dead worker's work comes back."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from building import Life
from sqlalchemy import func, select, update

from recovery.cases import facts
from recovery.cases.answers import Unknown
from recovery.cases.lifecycle import AttemptStatus, State, StepKind
from recovery.engine.advance import SEND_WITHIN_SECONDS, advance
from recovery.engine.claims import Postponed, perform_due
from recovery.engine.sweep import sweep
from recovery.runtime.clock import machine_now
from recovery.storage import tables
from recovery.storage.flag_store import CHARGING_HALTED, raise_flag
from recovery.storage.lease_store import lapsed_steps, release_step
from recovery.storage.step_store import ClaimedStep, claim_steps

ALL = tuple(StepKind)


def _claimed(life: Life, *, lease_seconds: float = 60, limit: int = 100) -> list[ClaimedStep]:
    with life.wiring.database.begin() as tx:
        return claim_steps(tx, ALL, moment=life.door.moment(), limit=limit, lease_seconds=lease_seconds)


def _step_row(life: Life, step_id: int) -> dict[str, object]:
    with life.wiring.database.connect() as tx:
        return dict(tx.execute(select(tables.steps).where(tables.steps.c.id == step_id)).mappings().one())


def test_two_claimers_never_get_the_same_step(life: Life) -> None:
    for number in range(6):
        life.fail(f"in_{number}")
    with life.wiring.database.begin() as one, life.wiring.database.begin() as two:
        first = claim_steps(one, ALL, moment=life.door.moment(), limit=4, lease_seconds=60)
        second = claim_steps(two, ALL, moment=life.door.moment(), limit=4, lease_seconds=60)
    assert len(first) == 4
    assert len(second) == 2
    assert {step.id for step in first}.isdisjoint(step.id for step in second)
    assert _claimed(life) == []


def test_what_is_not_due_yet_is_not_claimed(life: Life) -> None:
    case_id = life.fail("in_1")
    life.refresh(case_id)
    assert _claimed(life) == []
    planned = life.case(case_id).step(StepKind.CHARGE_CARD)
    assert planned is not None
    life.at = planned.due_at - timedelta(microseconds=1)
    assert _claimed(life) == []
    life.at = planned.due_at
    assert len(_claimed(life)) == 1


def test_a_lapsed_lease_of_a_reading_is_planned_again(life: Life) -> None:
    life.fail("in_1")
    (step,) = _claimed(life, lease_seconds=0)
    assert sweep(life.door) == 1
    assert sweep(life.door) == 0
    (again,) = _claimed(life)
    assert (again.id, again.claims) == (step.id, 2)


def _begun(life: Life, *, lease_seconds: float) -> tuple[str, ClaimedStep, str]:
    """A case whose attempt was committed to, and whose worker then says nothing more."""
    case_id = life.fail("in_1")
    life.refresh(case_id)
    planned = life.case(case_id).step(StepKind.CHARGE_CARD)
    assert planned is not None
    life.at = planned.due_at
    (step,) = _claimed(life, lease_seconds=lease_seconds)
    owed = life._owed[case_id]
    card = life.case(case_id).card
    begun = advance(life.door, case_id, facts.ChargeDue(obligation=owed, card=card, step_id=step.id), step=step)
    assert begun.attempt is not None
    if lease_seconds == 0:
        lapse(life)
    return case_id, step, begun.attempt.id


def lapse(life: Life) -> None:
    """The machine's clock goes on until every lease has ended."""
    with life.wiring.database.begin() as tx:
        tx.execute(update(tables.steps).where(tables.steps.c.state == "in_flight").values(lease_until=machine_now()))


def test_an_attempt_whose_worker_died_is_settled_and_never_performed_again(life: Life) -> None:
    case_id, step, attempt_id = _begun(life, lease_seconds=0)
    assert sweep(life.door) == 1
    case = life.case(case_id)
    assert case.attempt(attempt_id).status is AttemptStatus.UNKNOWN
    assert [waiting.kind for waiting in case.steps] == [StepKind.SETTLE_ATTEMPT]
    assert _step_row(life, step.id)["state"] == "done"
    assert _claimed(life) == []  # the gateway may still be at work: settling is held back by the machine's clock


def test_a_worker_that_wakes_after_its_lease_begins_nothing(life: Life) -> None:
    case_id = life.fail("in_1")
    life.refresh(case_id)
    planned = life.case(case_id).step(StepKind.CHARGE_CARD)
    assert planned is not None
    life.at = planned.due_at
    (slept,) = _claimed(life, lease_seconds=0)
    sweep(life.door)
    (other,) = _claimed(life, lease_seconds=60)
    owed, card = life._owed[case_id], life.case(case_id).card
    late = advance(life.door, case_id, facts.ChargeDue(obligation=owed, card=card, step_id=slept.id), step=slept)
    assert late.decision is None
    assert late.attempt is None
    prompt = advance(life.door, case_id, facts.ChargeDue(obligation=owed, card=card, step_id=other.id), step=other)
    assert prompt.attempt is not None


def test_an_answer_that_comes_after_the_lease_still_counts(life: Life) -> None:
    case_id, step, attempt_id = _begun(life, lease_seconds=0)
    sweep(life.door)
    answer = facts.AttemptAnswered(attempt_id=attempt_id, answer=life.declined())
    advance(life.door, case_id, answer, step=step)
    case = life.case(case_id)
    assert case.attempt(attempt_id).status is AttemptStatus.DECLINED
    assert [waiting.kind for waiting in case.steps] == [StepKind.CHARGE_CARD]


def test_the_same_fact_twice_changes_nothing(life: Life) -> None:
    case_id, step, attempt_id = _begun(life, lease_seconds=60)
    answer = facts.AttemptAnswered(attempt_id=attempt_id, answer=life.declined())
    assert advance(life.door, case_id, answer, step=step).decision is not None
    before = life.case(case_id)
    assert advance(life.door, case_id, answer, step=step).decision is None
    assert advance(life.door, case_id, answer).decision is None
    assert life.case(case_id) == before


def test_an_unknown_outcome_keeps_its_budget_until_it_is_settled(life: Life) -> None:
    case_id, step, attempt_id = _begun(life, lease_seconds=60)
    advance(
        life.door, case_id, facts.AttemptAnswered(attempt_id=attempt_id, answer=Unknown(detail="timeout")), step=step
    )
    with life.wiring.database.connect() as tx:
        assert tx.execute(select(tables.attempts.c.counts)).scalar_one() is True


def test_what_is_asked_for_while_in_flight_comes_again(life: Life) -> None:
    case_id = life.fail("in_1")
    (step,) = _claimed(life)
    life.tell(case_id, facts.PaymentMethodChanged(event_id="evt_1", what="a card changed"))
    owed, card = life._owed[case_id], life.case(case_id).card
    advance(life.door, case_id, facts.CardRefreshed(obligation=owed, card=card, step_id=step.id), step=step)
    kinds = {waiting.kind: waiting for waiting in life.case(case_id).steps}
    assert StepKind.REFRESH_CARD in kinds
    assert not kinds[StepKind.REFRESH_CARD].in_flight


class _Performer:
    lease_seconds = 30.0

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.seen: list[ClaimedStep] = []

    def __call__(self, step: ClaimedStep) -> None:
        self.seen.append(step)
        if self.error is not None:
            raise self.error


def test_a_step_that_fails_comes_back_later_with_its_error_and_never_blocks_others(life: Life) -> None:
    for number in range(3):
        life.fail(f"in_{number}")
    broken = _Performer(RuntimeError("no such luck"))
    began = life.door.moment()
    assert perform_due(life.door, {StepKind.REFRESH_CARD: broken}, batch=10, threads=1) == 3
    row = _step_row(life, broken.seen[0].id)
    assert (row["state"], row["failures"], row["error"]) == ("planned", 1, "RuntimeError: no such luck")
    hold = row["hold_until"]
    assert isinstance(hold, datetime)
    assert hold >= began.machine_now + timedelta(seconds=5)
    with life.wiring.database.begin() as tx:  # at an instant of before: however slow this machine is, it is held
        assert claim_steps(tx, ALL, moment=began, limit=10, lease_seconds=60) == []


def test_a_postponed_step_counts_no_failure(life: Life) -> None:
    life.fail("in_1")
    away = _Performer(Postponed("the gateway is away", hold_seconds=60, due_in=timedelta(hours=1)))
    perform_due(life.door, {StepKind.REFRESH_CARD: away}, batch=10, threads=1)
    row = _step_row(life, away.seen[0].id)
    assert (row["state"], row["failures"]) == ("planned", 0)
    assert row["due_at"] == life.at + timedelta(hours=1)


class _Counting(_Performer):
    """Notes how many steps are claimed while one is performed."""

    def __init__(self, life: Life) -> None:
        super().__init__()
        self._life = life
        self.claimed: list[int] = []

    def __call__(self, step: ClaimedStep) -> None:
        with self._life.wiring.database.connect() as tx:
            query = select(func.count()).where(tables.steps.c.state == "in_flight")
            self.claimed.append(int(tx.execute(query).scalar_one()))
        super().__call__(step)
        with self._life.wiring.database.begin() as tx:
            release_step(tx, step, hold_until=machine_now() + timedelta(hours=1))


def test_threads_claim_only_what_they_begin_and_more_as_they_come_free(life: Life) -> None:
    for number in range(7):
        life.fail(f"in_{number}")
    performer, began = _Counting(life), machine_now()
    assert perform_due(life.door, {StepKind.REFRESH_CARD: performer}, batch=6, threads=2) == 6
    assert len({step.id for step in performer.seen}) == 6
    assert max(performer.claimed) <= 2
    assert all(began + timedelta(seconds=29) <= step.lease_until for step in performer.seen)
    assert perform_due(life.door, {StepKind.REFRESH_CARD: performer}, batch=6, threads=2) == 1


def test_one_thread_claims_a_batch_whose_leases_cover_all_of_it(life: Life) -> None:
    for number in range(3):
        life.fail(f"in_{number}")
    performer, began = _Performer(), machine_now()
    assert perform_due(life.door, {StepKind.REFRESH_CARD: performer}, batch=3, threads=1) == 3
    assert all(step.lease_until >= began + timedelta(seconds=3 * 30) for step in performer.seen)


def test_halted_charging_claims_no_charge_but_everything_else(life: Life) -> None:
    case_id = life.fail("in_1")
    life.refresh(case_id)
    planned = life.case(case_id).step(StepKind.CHARGE_CARD)
    assert planned is not None
    life.at = planned.due_at
    life.fail("in_2")
    with life.wiring.database.begin() as tx:
        raise_flag(tx, CHARGING_HALTED, "401", at=life.at)
    charge, refresh = _Performer(), _Performer()
    performers = {StepKind.CHARGE_CARD: charge, StepKind.REFRESH_CARD: refresh}
    perform_due(life.door, performers, batch=10, threads=1)
    assert charge.seen == []
    assert len(refresh.seen) == 1


def test_a_case_goes_on_after_a_persons_word(life: Life) -> None:
    case_id = life.fail("in_1", pays_by_card=False)
    assert life.case(case_id).state is State.REVIEW
    life.tell(case_id, facts.PersonDecided(to=State.WITHDRAWN, note="a bank debit", decided_at=life.at))
    assert life.case(case_id).state is State.WITHDRAWN


def test_lapsed_steps_are_bounded(life: Life) -> None:
    for number in range(4):
        life.fail(f"in_{number}")
    _claimed(life, lease_seconds=0)
    with life.wiring.database.connect() as tx:
        assert len(lapsed_steps(tx, machine_now=machine_now() + timedelta(seconds=1), limit=3)) == 3


def test_a_stale_claim_cannot_be_given_back(life: Life) -> None:
    life.fail("in_1")
    (step,) = _claimed(life)
    stale = replace(step, claims=step.claims - 1)
    before = _step_row(life, step.id)
    with life.wiring.database.begin() as tx:
        assert release_step(tx, stale, hold_until=machine_now()) is False
    assert _step_row(life, step.id) == before


@pytest.mark.parametrize(("lease_seconds", "at_least"), [(1, SEND_WITHIN_SECONDS), (300, 299)])
def test_an_attempt_is_its_worker_s_as_long_as_it_may_still_be_sent(
    life: Life, lease_seconds: float, at_least: float
) -> None:
    """Who takes it back sooner would settle it by reading while the call has yet to begin."""
    began = machine_now()
    _, step, _ = _begun(life, lease_seconds=lease_seconds)
    until = _step_row(life, step.id)["lease_until"]
    assert isinstance(until, datetime)
    assert until >= began + timedelta(seconds=at_least)
