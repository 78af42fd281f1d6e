"""Under which brands each stored card was shown. Without it a card that became another brand's would be charged without its holder.

Noted from every fact that carries a card, before anything is decided: what is known must not depend on the order of events.
"""

from collections.abc import Iterator

from recovery.cases.case import Case
from recovery.cases.facts import Fact
from recovery.declines.signals import Card
from recovery.values import replace


def with_brands(case: Case, fact: Fact) -> Case:
    """The case with the brands that a fact shows: of each payment method the first details under each brand."""
    new: list[Card] = []
    for card in _cards(fact):
        if card.brand is not None and not any(_alike(card, old) for old in (*case.brands_seen, *new)):
            new.append(card)
    return replace(case, brands_seen=(*case.brands_seen, *new)) if new else case


def _alike(card: Card, old: Card) -> bool:
    return card.payment_method == old.payment_method and card.brand == old.brand


def _cards(fact: Fact) -> Iterator[Card]:
    """Every card that a fact carries, those of charges first: they are older than the reading that shows them."""
    charge, obligation, card = (getattr(fact, name, None) for name in ("charge", "obligation", "card"))
    charges = (*((charge,) if charge is not None else ()), *(obligation.charges if obligation is not None else ()))
    yield from (each.card for each in charges if each.card is not None)
    if obligation is not None and obligation.card is not None:
        yield obligation.card
    if card is not None:
        yield card
    yield from (kept.card for kept in getattr(fact, "cards", ()))
