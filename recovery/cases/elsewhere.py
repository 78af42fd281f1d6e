"""What other cases were told about the same card. Without it an invoice would present a card that the network, asked about another
one, wants left alone: its advice and its refusals are about the card, whoever's invoice brought them.

What was said is judged by the network's edition in force when the card would be tried, as all of a case's own declines are.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from recovery.cases.case import Case
from recovery.cases.obligation import Charge, ChargeStatus
from recovery.cases.rules import CardUse, Rules
from recovery.declines.classify import DeclineClass
from recovery.declines.signals import Card, Signals
from recovery.values import replace


def advised_until(card: Card | None, usage: CardUse, rules: Rules, *, now: datetime) -> datetime | None:
    """Until when the network advised on other cases to leave the card alone; None where it did not."""
    waits = (
        refusal.at + timedelta(hours=hours)
        for refusal in usage.elsewhere
        if (hours := rules.verdict(refusal.signals, card, now).wait_hours)
    )
    return max(waits, default=None)


def buried(case: Case, card: Card, charges: Iterable[Charge], usage: CardUse, rules: Rules, *, now: datetime) -> Case:
    """The case with the card among its dead ones where another case was told never to try it again, or this one was when that meant
    less than it does in the edition now in force; not where an entry was mistyped. ``charges`` are those on its own invoice.
    """
    for signals in (*_own(card, charges), *(refusal.signals for refusal in usage.elsewhere)):
        verdict = rules.verdict(signals, card, now)
        if verdict.decline_class is DeclineClass.NEVER_AGAIN and not verdict.typed and not case.is_dead(card):
            return replace(case, dead_cards=case.dead_after(card, verdict))
    return case


def _own(card: Card, charges: Iterable[Charge]) -> list[Signals]:
    """What the card's number was refused with on this invoice, since it last paid a part of it."""
    refused: list[Signals] = []
    for charge in sorted(charges, key=lambda each: each.created_at):
        if charge.card is None or charge.card.budget_key != card.budget_key:
            continue
        if charge.status is ChargeStatus.SUCCEEDED:
            refused.clear()
        elif charge.status is ChargeStatus.FAILED and charge.signals is not None:
            refused.append(charge.signals)
    return refused
