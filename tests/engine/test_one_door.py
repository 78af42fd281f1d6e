"""The one door: what was asked for while a step was in flight is kept, and stale claims change nothing."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest
from building import Life
from sqlalchemy import select, text

from recovery.cases import facts
from recovery.cases.answers import Declined, Unknown
from recovery.cases.lifecycle import AttemptStatus, State, StepKind
from recovery.cases.obligation import Obligation, ObligationStatus
from recovery.declines.signals import Signals
from recovery.engine.advance import advance
from recovery.engine.claims import perform_due
from recovery.gateways.port import NotFound
from recovery.money import Money
from recovery.storage import tables
from recovery.storage.case_store import Held, lock_case
from recovery.storage.flag_store import UNKNOWN_CODE, read_flags
from recovery.storage.lease_store import holds_lease, release_step
from recovery.storage.step_store import ClaimedStep, claim_steps


def _claim(life: Life, kind: StepKind, *, lease_seconds: float = 600) -> ClaimedStep:
    with life.wiring.database.begin() as tx:
        [step] = claim_steps(tx, (kind,), moment=life.door.moment(), limit=1, lease_seconds=lease_seconds)
    return step


def _open_steps(life: Life, case_id: str) -> dict[str, object]:
    query = select(tables.steps).where(tables.steps.c.case_id == case_id, tables.steps.c.state == "planned")
    with life.wiring.database.connect() as tx:
        return {row["kind"]: row["hold_until"] for row in tx.execute(query).mappings()}


def _release_holds(life: Life) -> None:
    with life.wiring.database.begin() as tx:
        tx.execute(text("UPDATE steps SET hold_until = NULL WHERE state = 'planned'"))


def test_settling_asked_for_while_settling_is_in_flight_comes_again_with_its_hold(life: Life) -> None:
    """A worker that settled the first attempt comes late; the second one's settling must neither vanish nor hurry."""
    case_id = life.fail("in_1")
    first = life.attempt(case_id, Unknown(detail="timeout")).case.attempts[0]
    _release_holds(life)
    settling = _claim(life, StepKind.SETTLE_ATTEMPT)
    stale = Signals(error_code="expired_card", decline_code="issuer_not_available")
    answer = facts.AttemptAnswered(attempt_id=first.id, answer=Declined(signals=stale, charge_id="ch_first"))
    life.tell(case_id, answer)
    second = life.attempt(case_id, Unknown(detail="timeout")).case.attempts[1]
    advance(life.door, case_id, answer, step=settling)  # the late worker, with what is known already
    held = _open_steps(life, case_id)
    assert life.case(case_id).open_attempt == second
    assert held[StepKind.SETTLE_ATTEMPT] is not None, "it waits until the second call has surely ended"


def test_settling_is_kept_even_in_an_end(life: Life) -> None:
    case_id = life.fail("in_1")
    life.attempt(case_id, Unknown(detail="timeout"))
    life.tell(case_id, facts.SubscriptionCancelled(subscription="sub_in_1", at=life.at))
    assert life.case(case_id).state is State.WITHDRAWN
    assert StepKind.SETTLE_ATTEMPT in _open_steps(life, case_id)


def test_a_claim_is_told_from_a_later_one_that_ends_at_the_same_instant(life: Life) -> None:
    """Machine clocks are set back; then the lease's end says nothing about whose claim it is."""
    life.fail("in_1")
    moment = life.door.moment()
    claims = []
    for _ in range(2):
        with life.wiring.database.begin() as tx:
            [step] = claim_steps(tx, (StepKind.REFRESH_CARD,), moment=moment, limit=1, lease_seconds=60)
            claims.append(step)
            if len(claims) == 1:
                release_step(tx, step, hold_until=moment.machine_now)
    assert claims[0].lease_until == claims[1].lease_until
    with life.wiring.database.begin() as tx:
        assert not holds_lease(tx, claims[0])
        assert holds_lease(tx, claims[1])


def test_who_waits_for_a_case_holds_no_step_meanwhile_and_sees_what_it_waited_for(life: Life) -> None:
    """Two facts meet: whoever has the case may write its steps, also the one that the other performs, and the other reads that."""
    case_id = life.fail("in_1")
    step = _claim(life, StepKind.REFRESH_CARD)
    fact = {"case_id": case_id, "fact_key": "told", "fact": "Told", "state": "silent", "reason": "-"}
    due = {"case_id": case_id, "kind": StepKind.ESCALATE, "state": "planned", "due_at": life.at}
    at = {"at": life.at, "booked_at": life.at}

    def second() -> Held:
        with life.wiring.database.begin() as tx:
            return lock_case(tx, case_id, fact_key="told", step=step)

    with ThreadPoolExecutor() as pool:
        with life.wiring.database.begin() as tx:
            assert not lock_case(tx, case_id, fact_key="told").known
            other = pool.submit(second)
            while not tx.execute(text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")).scalar_one():
                assert not other.done(), "it must wait"
            tx.execute(text("SET LOCAL lock_timeout = '2s'"))
            tx.execute(tables.steps.update().where(tables.steps.c.id == step.id).values(again_at=life.at))
            tx.execute(tables.cases.update().where(tables.cases.c.id == case_id).values(refreshes=7))
            tx.execute(tables.journal.insert().values(**fact, **at))
            tx.execute(tables.steps.insert().values(**due))
        held = other.result()
    assert held.known
    assert held.lease_until == step.lease_until
    assert held.case.refreshes == 7
    assert {each.kind for each in held.case.steps} == {StepKind.REFRESH_CARD, StepKind.ESCALATE}


@dataclass(frozen=True)
class Vanished:
    """A performer whose invoice is gone at the gateway."""

    lease_seconds: float = 60.0

    def __call__(self, step: ClaimedStep) -> None:
        raise NotFound("404 resource_missing")


def test_an_invoice_the_gateway_does_not_know_goes_to_a_person_at_once(life: Life) -> None:
    case_id = life.fail("in_1")
    perform_due(life.door, {StepKind.REFRESH_CARD: Vanished()}, batch=10, threads=1)
    case = life.case(case_id)
    assert case.state is State.REVIEW
    assert [step.kind for step in case.steps] == [StepKind.ESCALATE]


@dataclass(frozen=True)
class Refused:
    """A performer whose first step asks the database for what it refuses; the others are fine."""

    life: Life
    done: list[int]
    lease_seconds: float = 60.0

    def __call__(self, step: ClaimedStep) -> None:
        if step.case_id == "case_in_1":
            with self.life.wiring.database.begin() as tx:
                tx.execute(text("UPDATE cases SET amount_minor = -1 WHERE id = 'case_in_1'"))
        self.done.append(step.id)


def test_what_the_database_refuses_is_one_steps_failure_and_stops_no_other(life: Life) -> None:
    life.fail("in_1")
    life.fail("in_2")
    done: list[int] = []
    perform_due(life.door, {StepKind.REFRESH_CARD: Refused(life, done)}, batch=10, threads=1)
    assert len(done) == 1
    with life.wiring.database.connect() as tx:
        failed = tx.execute(select(tables.steps).where(tables.steps.c.failures == 1)).mappings().one()
    assert failed["case_id"] == "case_in_1"
    assert failed["error"].startswith("IntegrityError")
    assert "UPDATE" not in failed["error"]


def test_an_email_taken_for_gone_is_taken_back_when_its_worker_knows_better(life: Life) -> None:
    case_id = life.fail("in_1", code="lost_card")
    life.refresh(case_id)
    life.at += timedelta(hours=4)  # a decent hour in Los Angeles too
    step = _claim(life, StepKind.SEND_EMAIL)
    owed = Obligation(
        id="in_1",
        customer="cus_in_1",
        status=ObligationStatus.OPEN,
        remaining=Money(minor=4900, currency="usd"),
        livemode=False,
        charge_automatically=True,
        billing_reason="subscription_cycle",
        created_at=life.at,
    )
    email_id = advance(life.door, case_id, facts.EmailDue(obligation=owed, step_id=step.id), step=step).email_id
    assert email_id is not None
    advance(life.door, case_id, facts.EmailSent(email_id=email_id, ambiguous=True), step=step)
    assert life.case(case_id).emails_sent == 1
    late = facts.EmailRefused(email_id=email_id, detail="too slow for its lease", permanent=False)
    advance(life.door, case_id, late, step=step)
    case = life.case(case_id)
    assert case.emails_sent == 0
    assert case.step(StepKind.SEND_EMAIL) is not None
    life.at += timedelta(days=1)
    again = _claim(life, StepKind.SEND_EMAIL)
    assert advance(life.door, case_id, facts.EmailDue(obligation=owed, step_id=again.id), step=again).email_id


def test_an_unknown_code_is_counted_once_a_decline_not_once_a_fact(life: Life) -> None:
    case_id = life.fail("in_1", code="a_code_of_tomorrow")
    life.tell(case_id, facts.PaymentMethodChanged(event_id="evt_1", what="card changed"))
    life.tell(case_id, facts.PaymentMethodChanged(event_id="evt_2", what="card changed"))
    with life.wiring.database.connect() as tx:
        [flag] = read_flags(tx, UNKNOWN_CODE)
    assert flag.times == 1


def test_codes_that_nobody_knows_fill_no_table(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recovery.storage.flag_store.UNKNOWN_CODES_MAX", 2)
    for number in range(4):
        life.fail(f"in_{number}", code=f"invented_{number}")
    with life.wiring.database.connect() as tx:
        told = {flag.detail: flag.times for flag in read_flags(tx, UNKNOWN_CODE)}
    assert told == {"unknown code invented_0": 1, "unknown code invented_1": 1, "others": 2}


def test_an_answer_that_comes_twice_finishes_its_step_and_changes_nothing(life: Life) -> None:
    case_id = life.fail("in_1")
    life.attempt(case_id, life.declined())
    declined = life.case(case_id)
    assert declined.attempts[0].status is AttemptStatus.DECLINED
    again = facts.AttemptAnswered(attempt_id=declined.attempts[0].id, answer=life.declined("lost_card"))
    assert life.tell(case_id, again).decision is None
    assert life.case(case_id) == declined
