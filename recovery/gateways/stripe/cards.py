"""Stripe's several descriptions of a card as one value. Without it a card would look changed because its JSON did."""

from recovery.declines.signals import Card
from recovery.gateways.stripe.fields import Json, ident, mapping, text, whole


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
