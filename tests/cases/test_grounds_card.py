"""Grounds speak of the card and the instant of the next try, not of the ones that were looked at on the way."""

from dataclasses import replace
from datetime import timedelta

from cases_support import CARD, NIGHT, OTHER, opened, owed, rules

from recovery.cases import facts
from recovery.cases.case import Decision
from recovery.cases.decide import decide
from recovery.cases.grounds import Grounds, grounds_of
from recovery.cases.lifecycle import StepKind
from recovery.cases.rules import CardUse
from recovery.timing.budgets import Use


def grounds(before_days: float, usage: CardUse) -> tuple[Decision, Grounds]:
    """Of a try at night, which is put off."""
    now = NIGHT + timedelta(days=before_days)
    case = replace(opened(), failed_at=now, last_failure_at=now, horizon_at=now + timedelta(days=21))
    fact = facts.ChargeDue(obligation=owed(), card=CARD, step_id=1)
    decision = decide(case, fact, now=now, rules=rules(), usage=usage)
    return decision, grounds_of(case, decision, now=now, rules=rules(), usage=usage)


def test_the_edition_is_that_of_the_instant_of_the_next_try() -> None:
    decision, found = grounds(9.5, CardUse(budget_key=CARD.budget_key, uses=()))
    due_at = next(plan.due_at for plan in decision.plan if plan.kind is StepKind.CHARGE_CARD)
    assert (due_at.month, due_at.day) > (10, 25)
    assert found.network == "visa-2026-10"


def test_what_is_left_is_never_told_of_another_cards_budget() -> None:
    use = Use(at=NIGHT - timedelta(days=1), amount=owed().remaining, declined=True)
    decision, found = grounds(0, CardUse(budget_key=CARD.budget_key, uses=(use,)))
    assert [left.used for left in found.left] == [1]
    case = replace(decision.case, card=OTHER)
    other = grounds_of(
        case,
        replace(decision, case=case),
        now=NIGHT,
        rules=rules(),
        usage=CardUse(budget_key=CARD.budget_key, uses=(use,)),
    )
    assert other.left == ()
