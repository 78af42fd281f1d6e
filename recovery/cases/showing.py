"""What facts showed of cards: the brands of each stored card, and the details that failed. Without it a card that became another
brand's would be charged without its holder, and one that had failed would pass for fresh once another was tried.

Noted from every fact that carries a card, before anything is decided: what is known must not depend on the order of events.
"""

from recovery.cases.case import Case
from recovery.cases.facts import CardRefreshed, ChargeDue, Fact, PaymentFailed
from recovery.cases.obligation import Charge, ChargeStatus, Obligation
from recovery.declines.signals import Card
from recovery.values import replace

_READINGS = (CardRefreshed, ChargeDue)


def with_cards(case: Case, fact: Fact) -> Case:
    """The case with what a fact shows: of each payment method the first details under each brand, and every details that failed."""
    brands, failed = case.brands_seen, case.failed_cards
    charges = _charges(fact)
    # Most were seen before, as the very same value.
    cards = [card for card in _cards(fact, charges) if card is not None and card not in brands]
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


def _charges(fact: Fact) -> tuple[Charge, ...]:
    obligation: Obligation | None = getattr(fact, "obligation", None)
    shown = obligation.charges if obligation is not None else ()
    return (fact.charge, *shown) if isinstance(fact, PaymentFailed) else shown


def _cards(fact: Fact, charges: tuple[Charge, ...]) -> list[Card | None]:
    """Every card that a fact carries, those of charges first: they are older than the reading that shows them."""
    found = [each.card for each in charges] if charges else []
    obligation: Obligation | None = getattr(fact, "obligation", None)
    if obligation is not None:
        found.append(obligation.card)
    if isinstance(fact, _READINGS):
        found.append(fact.card)
        found += [kept.card for kept in fact.cards]
    return found
