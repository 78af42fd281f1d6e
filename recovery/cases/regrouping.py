"""What other cases and other policies mean for a case. Without it siblings would wait for money that is there already."""

from datetime import datetime, timedelta

from recovery.cases import facts
from recovery.cases.case import Case, Decision, Plan
from recovery.cases.lifecycle import OPEN, State, StepKind
from recovery.cases.planning import next_silent
from recovery.cases.policy import RETRIED
from recovery.cases.rules import CardUse, Rules
from recovery.cases.segments import Standing, segment_of, tenure_months
from recovery.values import replace


def sibling_recovered(
    case: Case, fact: facts.SiblingRecovered, *, now: datetime, rules: Rules, usage: CardUse
) -> Decision:
    """A sibling was paid: a silent case on a ladder is tried as soon as advice, hours and budgets allow."""
    why = f"the customer's invoice of {fact.case_id} was paid"
    if case.state is not State.SILENT:
        return Decision(case=case, reason=f"{why}; the case is {case.state.value}")
    if case.open_attempt is not None:
        return Decision(case=case, reason=f"{why}; an attempt is open already")
    if case.verdict is None or case.verdict.decline_class not in RETRIED:
        refresh = (Plan(kind=StepKind.REFRESH_CARD, due_at=now),)
        return Decision(case=case, reason=f"{why}; the card is read again at once", plan=refresh)
    return next_silent(replace(case, woken_at=now), now=now, rules=rules, usage=usage, why=why)


def regrouped(case: Case, rules: Rules) -> Case:
    """The case in the segments that the policy of these rules has for it; one that has ended stays in its own."""
    if case.state not in OPEN:
        return case
    months = tenure_months(case.subscribed_at, case.failed_at)
    person = Standing(amount=case.amount, tenure_months=months, trial=case.trial, interval=case.interval)
    return replace(case, segment=segment_of(rules.policy.segments, person))


def policy_moved(case: Case, fact: facts.PolicyMoved, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    """The case follows another version of the policy; ``rules`` are those of the new one, for the segments that it is in by them. A
    planned try is planned anew.
    """
    moved = replace(case, policy=fact.version, horizon_at=case.failed_at + timedelta(days=rules.policy.horizon_days))
    why = f"moved from policy {case.policy} to {fact.version}"
    if case.state not in OPEN:
        return Decision(case=case, reason=f"not {why}: the case has ended")
    why = f"{why}, segments {case.segment}" if case.segment else why
    if moved.horizon_at != case.horizon_at:
        why = f"{why}; the silent part ends {moved.horizon_at:%d %b} instead of {case.horizon_at:%d %b}"
    planned = case.step(StepKind.CHARGE_CARD)
    on_ladder = case.verdict is not None and case.verdict.decline_class in RETRIED
    if case.state is not State.SILENT or not on_ladder or planned is None or planned.in_flight or case.open_attempt:
        return Decision(case=moved, reason=f"{why}; what is planned stands")
    return next_silent(moved, now=now, rules=rules, usage=usage, why=why)


def wake(decision: Decision, *, now: datetime, usage: CardUse) -> Decision:
    """A recovery, when it is decided, plans in the same commit that the customer's other open cases are told."""
    if decision.case.state is not State.RECOVERED or not usage.siblings:
        return decision
    return replace(decision, plan=(*decision.plan, Plan(kind=StepKind.WAKE_SIBLINGS, due_at=now)))
