"""The sweep and a worker that wakes at the same moment: what the worker commits to between the sweep's two transactions is kept."""

from datetime import timedelta

import pytest
from building import Life
from sqlalchemy import Connection, select, update

from recovery.cases import facts
from recovery.cases.lifecycle import AttemptStatus, StepKind
from recovery.engine.advance import advance
from recovery.engine.sweep import sweep
from recovery.runtime.clock import machine_now
from recovery.storage import tables
from recovery.storage.attempt_store import attempt_of_step
from recovery.storage.email_store import email_of_step
from recovery.storage.mail_tables import emails
from recovery.storage.step_store import ClaimedStep, claim_steps


def _claimed(life: Life, kind: StepKind, *, lease_seconds: float = 60) -> ClaimedStep:
    with life.wiring.database.begin() as tx:
        (step,) = claim_steps(tx, (kind,), moment=life.door.moment(), limit=1, lease_seconds=lease_seconds)
    return step


def _lapse(life: Life) -> None:
    with life.wiring.database.begin() as tx:
        tx.execute(update(tables.steps).where(tables.steps.c.state == "in_flight").values(lease_until=machine_now()))


def test_an_attempt_begun_while_the_sweep_takes_its_step_back_is_settled_all_the_same(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = life.fail("in_1")
    life.refresh(case_id)
    planned = life.case(case_id).step(StepKind.CHARGE_CARD)
    assert planned is not None
    life.at = planned.due_at
    life.tell(
        case_id, facts.PaymentMethodChanged(event_id="evt_1", what="a card changed")
    )  # another step is planned beside it
    slow = _claimed(life, StepKind.CHARGE_CARD, lease_seconds=0)
    owed, card = life._owed[case_id], life.case(case_id).card

    def crossed(tx: Connection, step_id: int) -> str | None:
        found = attempt_of_step(tx, step_id)
        monkeypatch.setattr("recovery.engine.sweep.attempt_of_step", attempt_of_step)
        begun = advance(life.door, case_id, facts.ChargeDue(obligation=owed, card=card, step_id=slow.id), step=slow)
        assert begun.attempt is not None  # and here its worker dies, before or after it charged
        return found

    monkeypatch.setattr("recovery.engine.sweep.attempt_of_step", crossed)
    sweep(life.door)
    # Whoever finds the step claimable performs it.
    with life.wiring.database.begin() as tx:
        found = claim_steps(tx, (StepKind.CHARGE_CARD,), moment=life.door.moment(), limit=1, lease_seconds=60)
    for step in found:
        told = advance(life.door, case_id, facts.ChargeDue(obligation=owed, card=card, step_id=step.id), step=step)
        assert told.attempt is None
    for _ in range(3):
        _lapse(life)
        sweep(life.door)
    (attempt,) = life.case(case_id).attempts
    assert attempt.status is AttemptStatus.UNKNOWN
    assert life.case(case_id).step(StepKind.SETTLE_ATTEMPT) is not None


def test_an_email_begun_while_the_sweep_takes_its_step_back_is_taken_for_sent_and_others_follow(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = life.fail("in_1", code="lost_card")
    life.refresh(case_id)
    life.at += timedelta(hours=4)  # a decent hour in Los Angeles too
    slow = _claimed(life, StepKind.SEND_EMAIL, lease_seconds=0)
    owed = life._owed[case_id]

    def crossed(tx: Connection, step_id: int) -> str | None:
        found = email_of_step(tx, step_id)
        monkeypatch.setattr("recovery.engine.sweep.email_of_step", email_of_step)
        begun = advance(life.door, case_id, facts.EmailDue(obligation=owed, step_id=slow.id), step=slow)
        assert begun.email_id is not None  # handed to the mail server; and here its worker dies
        return found

    monkeypatch.setattr("recovery.engine.sweep.email_of_step", crossed)
    for _ in range(3):
        sweep(life.door)
        with life.wiring.database.begin() as tx:
            found = claim_steps(tx, (StepKind.SEND_EMAIL,), moment=life.door.moment(), limit=1, lease_seconds=60)
        for step in found:
            advance(life.door, case_id, facts.EmailDue(obligation=owed, step_id=step.id), step=step)
        _lapse(life)
    with life.wiring.database.connect() as tx:
        assert tx.execute(select(emails.c.status)).scalars().all() == ["ambiguous"]
    assert life.case(case_id).emails_sent == 1
    assert life.case(case_id).step(StepKind.SEND_EMAIL) is not None, "no further letter will ever be written"
