"""Stripe's several descriptions of a card as one value. Without it a card would look changed because its JSON did."""

from collections.abc import Sequence
from typing import Final

from recovery.cases.wallet import KeptCard, Place, ordered
from recovery.declines.signals import Card
from recovery.gateways.stripe.fields import Json, ident, instant, mapping, text, whole

CONSENT_KEY: Final = "recovery_backup_card"


def card_of_method(method: Json | None) -> Card | None:
    """The card of a payment method or of a legacy card source; None for a debit, a wallet balance and the like."""
    name = text(method, "id")
    if method is None or name is None:
        return None
    if text(method, "object") == "card":  # legacy: a card stored straight on the customer
        return _card(name, method)
    if text(method, "type") != "card":
        return None
    return _card(name, mapping(method, "card") or {})


def card_of_charge(charge: Json) -> Card | None:
    """The card as this charge presented it, or None when it was no card payment."""
    name = ident(charge, "payment_method") or ident(charge, "source")
    if name is None:
        return None
    details = mapping(charge, "payment_method_details", "card")
    if details is not None:
        return _card(name, details)
    source = mapping(charge, "source")
    return card_of_method(source) if source is not None else None


def kept_cards(
    defaults: tuple[Json | None, Json | None], listed: Sequence[Json], customer: Json | None
) -> tuple[KeptCard, ...]:
    """All cards of a customer in the order of charging; ``defaults`` are the subscription's and the customer's own.

    Consent to be charged as a backup is metadata named CONSENT_KEY, of the card or else of the customer: yes or no.
    """
    placed = [(method, place) for method, place in zip(defaults, (Place.SUBSCRIPTION, Place.CUSTOMER), strict=True)]
    placed += [(method, Place.ATTACHED) for method in listed]
    found: dict[str, KeptCard] = {}
    for method, place in placed:
        card = card_of_method(method)
        if card is not None and card.payment_method not in found:
            found[card.payment_method] = KeptCard(
                card=card,
                place=place,
                saved_at=instant(method, "created"),
                consent=_consent(method) if _consent(method) is not None else _consent(customer),
            )
    return ordered(list(found.values()))


def _consent(holder: Json | None) -> bool | None:
    return {"yes": True, "no": False}.get((text(holder, "metadata", CONSENT_KEY) or "").strip().lower())


def _card(name: str, details: Json) -> Card:
    brand = text(details, "brand")
    return Card(
        payment_method=name,
        # Legacy sources write "American Express" where payment methods write "amex".
        brand=_BRANDS.get(brand, brand.lower()) if brand else None,
        funding=text(details, "funding"),
        country=text(details, "country"),
        last4=text(details, "last4"),
        exp_month=whole(details, "exp_month"),
        exp_year=whole(details, "exp_year"),
        fingerprint=text(details, "fingerprint"),
    )


_BRANDS = {
    "American Express": "amex",
    "Diners Club": "diners",
    "MasterCard": "mastercard",
    "UnionPay": "unionpay",
    "Cartes Bancaires": "cartes_bancaires",
}
