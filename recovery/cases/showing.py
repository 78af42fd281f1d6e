"""What facts showed of cards: the brands of each stored card, and the details that failed. Without it a card that became another
brand's would be charged without its holder, and one that had failed would pass for fresh once another was tried.

Noted from every fact that carries a card, before anything is decided: what is known must not depend on the order of events.
"""

from collections.abc import Iterator

from recovery.cases.case import Case
from recovery.cases.facts import Fact
from recovery.cases.obligation import Charge, ChargeStatus
from recovery.declines.signals import Card
from recovery.values import replace


def with_cards(case: Case, fact: Fact) -> Case:
    """The case with what a fact shows: of each payment method the first details under each brand, and every details that failed."""
    charges = _charges(fact)
    brands, failed = case.brands_seen, case.failed_cards
    for card in _cards(fact, charges):
        if card.brand is not None and not any(_alike(card, old) for old in brands):
            brands = (*brands, card)
    for charge in charges:
        if charge.status is ChargeStatus.FAILED and charge.card is not None and charge.card not in failed:
            failed = (*failed, charge.card)
    if brands is case.brands_seen and failed is case.failed_cards:
        return case
    return replace(case, brands_seen=brands, failed_cards=failed)


def _alike(card: Card, old: Card) -> bool:
    return card.payment_method == old.payment_method and card.brand == old.brand


def _charges(fact: Fact) -> tuple[Charge, ...]:
    charge, obligation = getattr(fact, "charge", None), getattr(fact, "obligation", None)
    shown: tuple[Charge, ...] = obligation.charges if obligation is not None else ()
    return (charge, *shown) if charge is not None else shown


def _cards(fact: Fact, charges: tuple[Charge, ...]) -> Iterator[Card]:
    """Every card that a fact carries, those of charges first: they are older than the reading that shows them."""
    obligation, card = getattr(fact, "obligation", None), getattr(fact, "card", None)
    yield from (each.card for each in charges if each.card is not None)
    if obligation is not None and obligation.card is not None:
        yield obligation.card
    if card is not None:
        yield card
    yield from (kept.card for kept in getattr(fact, "cards", ()))
