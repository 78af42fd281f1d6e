"""What facts showed of cards: the brands of each stored card, and the details that failed. Without it a card that became another
brand's would be charged without its holder, and one that had failed would pass for fresh once another was tried.

Noted from every fact that carries a card, before anything is decided: what is known must not depend on the order of events.
"""

from functools import cache

from recovery.cases.case import Case
from recovery.cases.facts import Fact
from recovery.cases.obligation import Charge, ChargeStatus
from recovery.declines.signals import Card
from recovery.values import replace


def with_cards(case: Case, fact: Fact) -> Case:
    """The case with what a fact shows: of each payment method the first details under each brand, and every details that failed."""
    kind: type = type(fact)
    if not _shows_any(kind):
        return case
    charges = _charges(fact)
    brands, failed = case.brands_seen, case.failed_cards
    # Most were seen before, as the very same value.
    cards = [card for card in _cards(fact, charges) if card not in brands]
    if not cards and not charges:
        return case
    known = {(card.payment_method, card.brand) for card in brands}
    for card in cards:
        if card.brand is not None and (card.payment_method, card.brand) not in known:
            known.add((card.payment_method, card.brand))
            brands = (*brands, card)
    for charge in charges:
        if charge.status is ChargeStatus.FAILED and charge.card is not None and charge.card not in failed:
            failed = (*failed, charge.card)
    if brands is case.brands_seen and failed is case.failed_cards:
        return case
    return replace(case, brands_seen=brands, failed_cards=failed)


@cache
def _shows_any(kind: type) -> bool:
    return any(hasattr(kind, name) for name in ("charge", "obligation", "card", "cards"))


def _charges(fact: Fact) -> tuple[Charge, ...]:
    charge, obligation = getattr(fact, "charge", None), getattr(fact, "obligation", None)
    shown: tuple[Charge, ...] = obligation.charges if obligation is not None else ()
    return (charge, *shown) if charge is not None else shown


def _cards(fact: Fact, charges: tuple[Charge, ...]) -> list[Card]:
    """Every card that a fact carries, those of charges first: they are older than the reading that shows them."""
    obligation = getattr(fact, "obligation", None)
    found = [each.card for each in charges]
    found += (obligation.card if obligation is not None else None, getattr(fact, "card", None))
    found += [kept.card for kept in getattr(fact, "cards", ())]
    return [card for card in found if card is not None]
