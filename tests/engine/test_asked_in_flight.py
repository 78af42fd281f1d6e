"""What was planned anew while its step was in flight outlives a step that could not be performed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from building import Life

from recovery.cases import facts
from recovery.cases.lifecycle import State, StepKind
from recovery.engine.advance import advance
from recovery.storage.lease_store import release_step
from recovery.storage.step_store import ClaimedStep, claim_steps


def in_flight(life: Life, case_id: str, kind: StepKind) -> ClaimedStep:
    planned = life.case(case_id).step(kind)
    assert planned is not None
    life.at = planned.due_at
    with life.wiring.database.begin() as tx:
        (step,) = claim_steps(tx, (kind,), moment=life.door.moment(), limit=1, lease_seconds=60)
    return step


def asked(life: Life) -> str:
    """A case whose customer is asked to pay, for want of money."""
    case_id = life.fail("in_1")
    while life.case(case_id).state is State.SILENT:
        life.attempt(case_id, life.declined())
    assert life.case(case_id).state is State.DUNNING
    return case_id


@pytest.mark.parametrize("postponed", [True, False])
def test_the_customers_day_holds_though_the_case_was_about_to_close(life: Life, postponed: bool) -> None:
    """The gateway was away when the case fell due to close; meanwhile the customer named the day on which the money comes."""
    case_id = asked(life)
    step = in_flight(life, case_id, StepKind.CLOSE_CASE)
    wish = facts.DateWished(wished_at=life.at + timedelta(days=3))
    life.tell(case_id, wish)
    assert life.case(case_id).wished_at is not None
    if postponed:
        with life.wiring.database.begin() as tx:
            assert release_step(tx, step, hold_until=life.door.moment().machine_now, error="the gateway is away")
        closing = life.case(case_id).step(StepKind.CLOSE_CASE)
        assert closing is not None
        assert closing.due_at > wish.wished_at
        return
    advance(life.door, case_id, facts.CloseDue(obligation=life.owed(case_id), step_id=step.id), step=step)
    case = life.case(case_id)
    assert case.state is State.DUNNING
    trying, closing = case.step(StepKind.CHARGE_CARD), case.step(StepKind.CLOSE_CASE)
    assert trying is not None
    assert closing is not None
    assert trying.due_at < closing.due_at


def test_the_customers_day_holds_though_another_card_came_and_went(life: Life) -> None:
    """A new card takes the place of the try on the day that was named; it is gone again before it is charged."""
    case_id = asked(life)
    life.tell(case_id, facts.DateWished(wished_at=life.at + timedelta(days=3)))
    wished_at = life.case(case_id).wished_at
    life.tell(case_id, facts.PaymentMethodChanged(event_id="evt_1", what="card attached"))
    owed, old = life.owed(case_id), life.case(case_id).card
    assert old is not None
    new = replace(old, payment_method="pm_new", fingerprint="fp_new")
    step = in_flight(life, case_id, StepKind.REFRESH_CARD)
    advance(life.door, case_id, facts.CardRefreshed(obligation=owed, card=new, step_id=step.id), step=step)
    step = in_flight(life, case_id, StepKind.CHARGE_CARD)
    assert wished_at is not None
    assert life.at < wished_at
    due = facts.ChargeDue(obligation=owed, card=old, step_id=step.id)
    assert advance(life.door, case_id, due, step=step).attempt is None
    planned = life.case(case_id).step(StepKind.CHARGE_CARD)
    assert planned is not None
    assert planned.due_at == wished_at
