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
    brands, failed = case.brands_seen, case.failed_cards
    charges, cards = _shown(fact)
    # Most were seen before, as the very same value.
    fresh = [card for card in cards if card is not None and card not in brands]
    if not fresh and not charges:
        return case
    known = {(card.payment_method, card.brand) for card in brands}
    for card in fresh:
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


def _shown(fact: Fact) -> tuple[tuple[Charge, ...], list[Card | None]]:
    """The charges and cards that a fact carries, those of charges first: they are older than the reading that shows them."""
    charge, obligation = getattr(fact, "charge", None), getattr(fact, "obligation", None)
    charges: tuple[Charge, ...] = obligation.charges if obligation is not None else ()
    if charge is not None:
        charges = (charge, *charges)
    cards = [each.card for each in charges] if charges else []
    if obligation is not None:
        cards.append(obligation.card)
    cards.append(getattr(fact, "card", None))
    for kept in getattr(fact, "cards", ()):
        cards.append(kept.card)
    return charges, cards
