"""Under which brands each stored card was shown. Without it a card that became another brand's would be charged without its holder.

Noted from every fact that carries a card, before anything is decided: what is known must not depend on the order of events.
"""

from recovery.cases.case import Case
from recovery.cases.facts import Fact
from recovery.declines.signals import Card
from recovery.values import replace


def with_brands(case: Case, fact: Fact) -> Case:
    """The case with the brands that a fact shows: of each payment method the first details under each brand."""
    shown = [card for card in _cards(fact) if card.brand is not None]
    if not shown:
        return case
    seen = {(card.payment_method, card.brand): card for card in case.brands_seen}
    known = len(seen)
    for card in shown:
        seen.setdefault((card.payment_method, card.brand), card)
    return replace(case, brands_seen=tuple(seen.values())) if len(seen) > known else case


def _cards(fact: Fact) -> list[Card]:
    """Every card that a fact carries, those of charges first: they are older than the reading that shows them."""
    charge, obligation, card = (
        getattr(fact, "charge", None),
        getattr(fact, "obligation", None),
        getattr(fact, "card", None),
    )
    found = [] if charge is None else [charge.card]
    if obligation is not None:
        found += [each.card for each in obligation.charges] + [obligation.card]
    found += [card, *[kept.card for kept in getattr(fact, "cards", ())]]
    return [each for each in found if each is not None]
