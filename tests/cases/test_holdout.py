"""The lot falls on customers and stays; the plain ladder is plain, and forbids what must never be."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cases_support import CARD, FAILED_AT, FUNDS, LOST, OWED, charge, owed, rules

from recovery.cases import facts
from recovery.cases.decide import decide
from recovery.cases.grounds import grounds_of
from recovery.cases.holdout import Arm, Holdout
from recovery.cases.lifecycle import Rule, State
from recovery.cases.opening import opened_case
from recovery.cases.project import Projection, Scenario, project
from recovery.cases.rules import NO_USE, Rules
from recovery.declines.signals import Signals
from recovery.storage.codec import policy_from, policy_json

HALF = Holdout(share=0.5)


def measured(share: float = 0.5) -> Rules:
    found = rules()
    return replace(found, policy=replace(found.policy, holdout=Holdout(share=share)))


def plan(signals: Signals, arm: Arm | None, *, card_country: str = "US", failed_at: datetime = FAILED_AT) -> Projection:
    card = replace(CARD, country=card_country)
    return project(Scenario(signals=signals, card=card, amount=OWED, failed_at=failed_at, arm=arm), measured())


def test_the_lot_is_fair_and_the_same_whenever_it_is_asked() -> None:
    people = [f"cus_{number}" for number in range(4000)]
    drawn = Counter(Holdout(share=0.2).arm_of(one, before=None) for one in people)
    assert 700 < drawn[Arm.HOLDOUT] < 900
    assert drawn[Arm.HOLDOUT] + drawn[Arm.ENGINE] == 4000
    first = [HALF.arm_of(one, before=None) for one in people]
    assert first == [HALF.arm_of(one, before=None) for one in people]
    assert first != [Holdout(share=0.5, lot="second").arm_of(one, before=None) for one in people]
    fewer = {one for one in people if Holdout(share=0.3).arm_of(one, before=None) is Arm.HOLDOUT}
    assert fewer < {one for one in people if HALF.arm_of(one, before=None) is Arm.HOLDOUT}, (
        "a greater share keeps who is in"
    )


@pytest.mark.parametrize("before", Arm)
def test_who_was_drawn_once_stays(before: Arm) -> None:
    assert HALF.arm_of("cus_1", before=before) is before
    assert Holdout().arm_of("cus_1", before=before) is None, "nothing is measured while the share is nought"


def test_a_case_is_pinned_on_its_arm_and_horizon() -> None:
    def opened(arm_before: Arm | None) -> tuple[Arm | None, timedelta]:
        names = {"case_id": "case_in_1", "gateway": "stripe", "policy": "p"}
        case = opened_case(charge(), owed(), rules=measured(), arm_before=arm_before, **names)
        return case.arm, case.horizon_at - case.failed_at

    assert opened(Arm.HOLDOUT) == (Arm.HOLDOUT, timedelta(days=17))
    assert opened(Arm.ENGINE) == (Arm.ENGINE, timedelta(days=21))


@pytest.mark.parametrize("hour", [4, 16])
def test_the_holdouts_ladder_is_plain_and_ends_with_the_same_letters(hour: int) -> None:
    failed_at = FAILED_AT.replace(hour=hour)  # in the United States by night and by day
    found = plan(FUNDS, Arm.HOLDOUT, failed_at=failed_at)
    late = [step.at - failed_at - timedelta(days=day) for step, day in zip(found.tries, (3, 8, 15), strict=True)]
    jitter = timedelta(minutes=measured().policy.jitter_minutes)
    assert all(timedelta(0) <= each <= number * jitter for number, each in enumerate(late, 1)), late
    assert (found.state, found.rule) == (State.DUNNING, Rule.ATTEMPTS)
    assert "in the holdout and gets a plain ladder (3, 5, 7 days)" in found.opening
    engine = plan(FUNDS, Arm.ENGINE)
    assert "not in the holdout" in engine.opening
    assert [step.at for step in engine.tries] == [step.at for step in plan(FUNDS, None).tries]
    assert len(engine.tries) > len(found.tries)


def test_the_grounds_of_a_decision_name_the_holdout() -> None:
    names = {"case_id": "case_in_1", "gateway": "stripe", "policy": "p"}
    failed = charge(signals=FUNDS)
    case = opened_case(failed, owed(), rules=measured(), arm_before=Arm.HOLDOUT, **names)
    for fact in (
        facts.PaymentFailed(charge=failed, obligation=owed()),
        facts.CardRefreshed(obligation=owed(), card=CARD, step_id=1),
    ):
        decision = decide(case, fact, now=FAILED_AT, rules=measured(), usage=NO_USE)
        grounds = grounds_of(case, decision, now=FAILED_AT, rules=measured(), usage=NO_USE)
        assert grounds.policy == "p, holdout"
        case = decision.case
    assert grounds.rule == "holdout.gaps_days"


def test_what_must_never_be_tried_again_is_not_tried_in_the_holdout() -> None:
    found = plan(LOST, Arm.HOLDOUT)
    assert found.tries == ()
    assert (found.state, found.rule) == (State.DUNNING, Rule.NEVER_AGAIN)


def test_a_networks_advice_holds_in_the_holdout() -> None:
    advised = Signals(error_code="card_declined", decline_code="insufficient_funds", network_advice_code="30")
    card = replace(CARD, brand="mastercard")
    scenario = Scenario(signals=advised, card=card, amount=OWED, failed_at=owed().created_at, arm=Arm.HOLDOUT)
    first = project(scenario, measured()).tries[0]
    assert first.at >= owed().created_at + timedelta(days=10)


def test_a_policy_from_before_the_holdout_measures_nothing() -> None:
    stored = policy_json(rules().policy)
    stored.pop("holdout")
    assert policy_from(stored).holdout == Holdout()
