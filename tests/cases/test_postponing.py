"""A try that is put off again and again for nothing goes to a person, in the pure core."""

from datetime import timedelta

from cases_support import OPEN_HOUR, attempt, opened, rules

from recovery.cases.case import Case, Decision, Plan
from recovery.cases.decide import decide
from recovery.cases.facts import PaymentMethodChanged
from recovery.cases.lifecycle import State, StepKind
from recovery.cases.postponing import PUT_OFF_MAX, bounded
from recovery.cases.rules import NO_USE

AT_ONCE = Plan(kind=StepKind.CHARGE_CARD, due_at=OPEN_HOUR)


def put_off(case: Case, plan: Plan = AT_ONCE) -> Decision:
    again = Decision(case=case, reason="not tried: it contradicts itself", plan=(plan,))
    return bounded(case, again, now=OPEN_HOUR, rules=rules())


def test_a_try_put_off_for_nothing_too_often_goes_to_a_person_with_its_reason() -> None:
    case = opened()
    for _ in range(PUT_OFF_MAX - 1):
        decision = put_off(case)
        assert (decision.plan, decision.case.state) == ((AT_ONCE,), State.SILENT)
        case = decision.case
    held = put_off(case)
    assert held.case.state is State.REVIEW
    assert {plan.kind for plan in held.plan} == {StepKind.ESCALATE}
    assert StepKind.CHARGE_CARD in held.cancel
    assert "it contradicts itself" in str(held.reason)
    assert held.case.put_off == 0, "a person who lets it go on gives it as many chances"


def test_an_attempt_or_time_that_passes_begins_the_count_anew() -> None:
    case = put_off(opened()).case
    assert case.put_off == 1
    minutes = Plan(kind=StepKind.CHARGE_CARD, due_at=OPEN_HOUR + timedelta(minutes=3))
    assert put_off(case, plan=minutes).case.put_off == 2
    later = put_off(case, plan=Plan(kind=StepKind.CHARGE_CARD, due_at=OPEN_HOUR + timedelta(hours=1)))
    assert later.case.put_off == 0
    begun = Decision(case=case, reason="attempt 1", start=attempt())
    assert bounded(case, begun, now=OPEN_HOUR, rules=rules()).case.put_off == 0


def test_news_of_cards_is_never_counted() -> None:
    news = PaymentMethodChanged(event_id="evt_1", what="a card was saved")
    told = decide(opened(), news, now=OPEN_HOUR, rules=rules(), usage=NO_USE)
    assert [(plan.kind, plan.due_at) for plan in told.plan] == [(StepKind.REFRESH_CARD, OPEN_HOUR)]
    assert told.case.put_off == 0
