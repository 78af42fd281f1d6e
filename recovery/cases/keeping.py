"""After a card of the customer's choice has paid. Without it the next renewal would fail on the old card again."""

from dataclasses import replace
from datetime import datetime

from recovery.cases.case import Case, Decision, Plan, Purpose
from recovery.cases.lifecycle import AttemptStatus, State, StepKind
from recovery.cases.rules import Rules


def keep_card(decision: Decision, *, now: datetime, rules: Rules) -> Decision:
    """A recovery on the customer's own choice, when it is decided, plans in the same commit that the subscription goes on so."""
    case = decision.case
    if case.state is not State.RECOVERED or not rules.policy.cards.make_default or chosen_card(case) is None:
        return decision
    return replace(decision, plan=(*decision.plan, Plan(kind=StepKind.KEEP_CARD, due_at=now)))


def chosen_card(case: Case) -> str | None:
    """The payment method of the customer's choice that paid, if the subscription may go on with it; else None."""
    won = next((a for a in case.attempts if a.status is AttemptStatus.SUCCEEDED), None)
    if case.subscription is None or won is None or won.purpose is not Purpose.CUSTOMER_CARD:
        return None
    method = won.card.payment_method
    corrected = any(each.payment_method == method for each in case.corrections)
    return None if corrected and method != case.choice else method  # corrected where it stands: that chose no place
