"""A try that would come after the horizon is made before it, within all other limits, and goes out when it comes due."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cases_support import CARD, CONFIG, charge, opened, owed, planned, rules, told
from cases_support import FAILED_AT as OPENED_AT

from recovery.cases.facts import CardRefreshed, ChargeDue, PaymentFailed
from recovery.cases.lifecycle import Rule, State, StepKind
from recovery.cases.project import Projection, Scenario, project
from recovery.cases.rules import Rules
from recovery.declines.classify import DeclineClass
from recovery.declines.signals import Card, Initiator, Signals
from recovery.money import Money
from recovery.runtime.knowledge import load_knowledge, rules_of
from recovery.storage.codec import policy_from, policy_json

FAILED_AT = datetime(2026, 9, 14, 5, 0, tzinfo=UTC)
"""A Monday before banks open: the horizon of three weeks ends on a Monday before they open again after the weekend."""

DAY = timedelta(days=1)


def _rules(last_gap_hours: float | None) -> Rules:
    """Tries every six days, whatever the paydays."""
    found = rules_of(load_knowledge(CONFIG))
    kind = DeclineClass.WAIT_FOR_FUNDS
    ladder = replace(found.policy.ladders[kind], gaps_hours=(144,), paydays=False, last_gap_hours=last_gap_hours)
    return replace(found, policy=replace(found.policy, ladders={**found.policy.ladders, kind: ladder}))


def _plan(last_gap_hours: float | None, *, advice: str | None = None) -> Projection:
    scenario = Scenario(
        signals=Signals(decline_code="insufficient_funds", network_advice_code=advice),
        card=Card(payment_method="pm", brand="mastercard", funding="credit", country="CH", fingerprint="f"),
        amount=Money(minor=4900, currency="chf"),
        failed_at=FAILED_AT,
    )
    return project(scenario, _rules(last_gap_hours))


def test_without_it_the_horizon_ends_the_silent_part() -> None:
    plan = _plan(None)
    last = plan.tries[-1].at
    assert (plan.state, plan.rule) == (State.DUNNING, Rule.HORIZON)
    assert last < FAILED_AT + 17 * DAY


def test_with_it_one_try_more_is_made_before_the_horizon() -> None:
    without, plan = _plan(None), _plan(48)
    assert [step.at for step in plan.tries[:-1]] == [step.at for step in without.tries]
    last = plan.tries[-1]
    assert "a last try before the horizon" in last.planned_because
    # A day and two days before the horizon banks are closed; four days before it is Thursday.
    assert last.at.date().isoformat() == "2026-10-01"
    assert without.tries[-1].at + timedelta(hours=48) <= last.at <= FAILED_AT + 21 * DAY
    assert (plan.state, plan.rule) == (State.DUNNING, Rule.HORIZON)


@pytest.mark.parametrize(("hours", "advice"), [(24 * 6, None), (48, "30")])
def test_it_keeps_its_distance_and_the_networks_advice(hours: float, advice: str | None) -> None:
    plan = _plan(hours, advice=advice)
    gaps = [later.at - earlier.at for earlier, later in zip(plan.tries, plan.tries[1:], strict=False)]
    assert all(gap >= timedelta(hours=240 if advice else 143) for gap in gaps)
    assert "a last try" not in plan.tries[-1].planned_because


@pytest.mark.parametrize(("theirs", "until_hours"), [("28", 8 * 24), ("30", 12 + 10 * 24)])
def test_a_shorter_advice_to_somebody_else_does_not_end_a_longer_wait(theirs: str, until_hours: float) -> None:
    """29 means eight days, 28 six and 30 ten; the customer's own try fails twelve hours after ours."""
    mastercard = replace(CARD, brand="mastercard")
    case = replace(opened(Signals(decline_code="insufficient_funds")), card=mastercard, tried_card=mastercard)
    advised = Signals(decline_code="insufficient_funds", network_advice_code="29")
    case = replace(case, signals=advised, verdict=rules().verdict(advised, mastercard, OPENED_AT))
    failed = charge(
        "ch_2",
        card=mastercard,
        created_at=OPENED_AT + timedelta(hours=12),
        initiator=Initiator.CUSTOMER,
        signals=Signals(decline_code="insufficient_funds", network_advice_code=theirs),
    )
    after = told(case, PaymentFailed(charge=failed, obligation=owed()), now=OPENED_AT + timedelta(hours=12)).case
    assert after.verdict is not None
    assert after.last_failure_at is not None
    assert after.last_failure_at + timedelta(hours=after.verdict.wait_hours) == OPENED_AT + timedelta(hours=until_hours)


@pytest.mark.parametrize(
    ("within", "advice", "first"), [(168, "29", 8), (168, None, 3), (None, "29", 17), (None, None, 3)]
)
def test_a_payday_is_waited_for_a_week_at_most_unless_the_policy_is_older(
    within: float | None, advice: str | None, first: int
) -> None:
    """Policies that were pinned before the limit was there go on as they did: after advice to the next payday, however far."""
    shipped = rules_of(load_knowledge(CONFIG))
    stored = policy_json(shipped.policy)
    for ladder in stored["ladders"].values():
        ladder.pop("payday_within_hours")
        if within is not None:
            ladder["payday_within_hours"] = within
    older = replace(shipped, policy=policy_from(stored))
    scenario = replace(_SCENARIO, signals=replace(_SCENARIO.signals, network_advice_code=advice))
    tried = project(scenario, older).tries[0].at
    assert (tried - scenario.failed_at).days == first


_SCENARIO = Scenario(
    signals=Signals(decline_code="insufficient_funds"),
    card=Card(payment_method="pm", brand="mastercard", funding="credit", country="CH", fingerprint="f"),
    amount=Money(minor=4900, currency="chf"),
    failed_at=datetime(2026, 9, 7, 8, 0, tzinfo=UTC),
)
"""A Monday in bank hours; the next payday is Friday the 25th."""


@pytest.mark.parametrize("number", range(5))
def test_jitter_never_carries_a_try_beyond_the_horizon_and_what_is_planned_may_fire(number: int) -> None:
    """Else planning, with jitter, and firing, without, would send the try to and fro between two instants for ever."""
    read = CardRefreshed(obligation=owed(), card=CARD, step_id=1)
    case = replace(opened(), id=f"case_{number}")
    slot = told(case, read, now=OPENED_AT).slot
    assert slot is not None
    assert slot.at is not None
    assert slot.settled_at is not None
    near = replace(case, horizon_at=slot.settled_at + (slot.at - slot.settled_at) / 2 + timedelta(seconds=1))
    decision = told(near, read, now=OPENED_AT)
    due_at = planned(decision)[StepKind.CHARGE_CARD]
    assert slot.settled_at <= due_at <= near.horizon_at
    fired = told(decision.case, ChargeDue(obligation=owed(), card=CARD, step_id=2), now=due_at)
    assert fired.start is not None, fired.reason


def test_a_slot_at_the_very_horizon_is_not_spread_beyond_it() -> None:
    """Planning spread it and took an earlier last chance; firing, which does not spread, put that off, every few minutes."""
    found = _rules(0)
    kind = DeclineClass.WAIT_FOR_FUNDS
    ladder = replace(found.policy.ladders[kind], gaps_hours=(72,))
    policy = replace(found.policy, horizon_days=3, jitter_minutes=45, ladders={**found.policy.ladders, kind: ladder})
    for case in range(8):  # each with a spread of its own
        scenario = Scenario(
            signals=Signals(decline_code="insufficient_funds"),
            card=Card(payment_method="pm", brand="visa", funding="credit", country="GB", fingerprint="f"),
            amount=Money(minor=4900, currency="gbp"),
            failed_at=datetime(2026, 10, 9, 14, 15, tzinfo=UTC),
            case_id=f"case_{case}",
        )
        plan = project(scenario, replace(found, policy=policy))
        assert [step.at - scenario.failed_at for step in plan.tries] == [3 * DAY]
        assert "planned anew" not in {step.what for step in plan.steps}
