"""Fresh details that a reading shows in passing; before an email or a case's end they come first. Without it a customer who has just
saved a card would be written to, or given up, because the gateway's news of it was lost.
"""

from datetime import datetime, timedelta

from recovery.cases.case import Case, Decision, Plan
from recovery.cases.choosing import default_card, is_fresh, is_untried
from recovery.cases.lifecycle import OPEN, StepKind
from recovery.cases.obligation import Obligation
from recovery.cases.rules import Rules
from recovery.cases.updating import compared, told
from recovery.sentences import Sentence
from recovery.values import replace

WAITED_FOR = timedelta(days=3)
"""A try that is further off, such as one behind a used-up budget, holds nothing back."""

_HELD = {
    StepKind.SEND_EMAIL: ("the email waits", timedelta(hours=1)),
    StepKind.CLOSE_CASE: ("not closed yet", timedelta(days=1)),
}
"""What is said of each step that is held back, and how long it waits for a reading or a try that comes before it."""


def fresh_first(case: Case, obligation: Obligation, held: StepKind, *, now: datetime, rules: Rules) -> Decision | None:
    """The decision that holds a due email or end back for a reading or for fresh details; None when nothing comes before it."""
    waits, pause = _HELD[held]
    reading, trying = case.step(StepKind.REFRESH_CARD), case.step(StepKind.CHARGE_CARD)
    if reading is not None and reading.due_at <= now:
        later = (Plan(kind=held, due_at=now + pause),)
        return Decision(case=case, reason=f"{waits}: the card is about to be read again", plan=later)
    fresh = case.card is not None and is_untried(case, case.card)
    if trying is not None and fresh and trying.due_at <= now + WAITED_FOR:
        later = (Plan(kind=held, due_at=max(now, trying.due_at) + pause),)
        return Decision(case=case, reason=f"{waits}: fresh details are tried first", plan=later)
    card = obligation.card
    known = card == case.card or any(kept.card == card for kept in case.wallet)
    if card is None or known or not is_fresh(case, card, rules.policy):
        return None
    look = (Plan(kind=StepKind.REFRESH_CARD, due_at=now), Plan(kind=held, due_at=now + pause))
    return Decision(case=case, reason=f"{waits}: {told(compared(case.card, card))}", plan=look)


def in_passing(obligation: Obligation, decision: Decision, *, now: datetime, rules: Rules) -> Decision:
    """The decision with a reading of the cards at once, where an invoice that was read for another reason shows fresh details."""
    case = decision.case
    card = obligation.card
    if card is None or case.state not in OPEN or card in (case.card, default_card(case)):
        return decision
    if any(plan.kind is StepKind.REFRESH_CARD for plan in decision.plan) or not is_fresh(case, card, rules.policy):
        return decision
    look = Plan(kind=StepKind.REFRESH_CARD, due_at=now)
    why = Sentence(lambda: f"{decision.reason}; {told(compared(case.card, card))}, the cards are read again at once")
    return replace(decision, reason=why, plan=(*decision.plan, look))
