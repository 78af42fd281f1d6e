"""A case in review goes on by itself when another card is all that was missing. Without it a customer who has just saved a card would
wait for a person who has nothing to decide.

Where money may have moved, or nobody knows what is owed, a new card changes nothing: that stays a person's turn.
"""

from datetime import datetime

from recovery.cases.case import Case, Decision
from recovery.cases.choosing import is_untried, needs_agreement
from recovery.cases.lifecycle import CURED_BY_CARD, State, StepKind
from recovery.cases.planning import charge_fresh, exhaust
from recovery.cases.rules import CardUse, Rules
from recovery.declines.signals import Card
from recovery.values import replace


def resumed(case: Case, card: Card | None, *, now: datetime, rules: Rules, usage: CardUse) -> Decision | None:
    """The try on another card that ends the review; None where a person must still look."""
    if case.review not in CURED_BY_CARD or case.open_attempt is not None:
        return None
    if card is None or not _is_new(case, card) or needs_agreement(case, card, rules.policy):
        return None
    why = f"card read again: now {card.brief()}; the review ({case.review.value.replace('_', ' ')}) ends with another card"
    before = replace(case, card=card, review=None, state=State.SILENT)
    if case.exhausted is None:
        tried = charge_fresh(before, now=now, rules=rules, usage=usage, why=why)
        return replace(tried, cancel=tried.cancel | {StepKind.ESCALATE})
    rule, detail = case.exhausted.rule, case.exhausted.detail
    asked = exhaust(before, rule, now=now, rules=rules, why=why, detail=detail)
    tried = charge_fresh(asked.case, now=now, rules=rules, usage=usage, why=asked.reason)
    if not any(plan.kind is StepKind.CHARGE_CARD for plan in tried.plan):
        return asked
    cancel = (asked.cancel - {StepKind.CHARGE_CARD}) | tried.cancel
    plan = tuple(each for each in asked.plan if each.kind is not StepKind.CHARGE_CARD)
    return replace(tried, plan=(*plan, *tried.plan), cancel=cancel)


def _is_new(case: Case, card: Card) -> bool:
    """Whether these details are not the ones that could not be charged, and no backup's."""
    known = (case.card, *(attempt.card for attempt in case.attempts))
    same = any(
        old is not None and old.payment_method == card.payment_method and card.same_details(old) for old in known
    )
    return not same and not case.is_backup(card) and is_untried(case, card)
