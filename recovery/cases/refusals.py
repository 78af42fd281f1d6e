"""What was said of a card, on whichever case. Without it an invoice would present a card that the network, asked about another one or
before another card of its own, wants left alone: its advice and its refusals are about the card, whoever's invoice brought them.

What was said is judged by the network's edition in force when the card would be tried.
"""

from datetime import datetime, timedelta

from recovery.cases.case import Case
from recovery.cases.rules import CardUse, Rules
from recovery.declines.classify import DeclineClass
from recovery.declines.signals import Card
from recovery.values import replace


def advised_until(card: Card | None, usage: CardUse, rules: Rules, *, now: datetime) -> datetime | None:
    """Until when the network advised to leave the card alone; None where it did not."""
    waits = (
        refusal.at + timedelta(hours=hours)
        for refusal in usage.refusals
        if (hours := rules.verdict(refusal.signals, card, now).wait_hours)
    )
    return max(waits, default=None)


def buried(case: Case, card: Card, usage: CardUse, rules: Rules, *, now: datetime) -> Case:
    """The case with the card among its dead ones where any case was told never to try it again; not where an entry was mistyped."""
    for refusal in usage.refusals:
        verdict = rules.verdict(refusal.signals, card, now)
        if verdict.decline_class is DeclineClass.NEVER_AGAIN and not verdict.typed and not case.is_dead(card):
            return replace(case, dead_cards=case.dead_after(card, verdict))
    return case
