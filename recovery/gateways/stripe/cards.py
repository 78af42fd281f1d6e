"""Stripe's several descriptions of a card as one value. Without it a card would look changed because its JSON did."""

from collections.abc import Sequence
from typing import Any, Final

from recovery.cases.wallet import KeptCard, Place, ordered
from recovery.declines.signals import Card
from recovery.gateways.stripe.fields import Json, ident, instant, mapping, part, text, whole

CONSENT_KEY: Final = "recovery_backup_card"


def card_of_method(method: Json | None) -> Card | None:
    """The card of a payment method or of a legacy card source; None for a debit, a wallet balance and the like."""
    name = _plain(text(method, "id"))
    if method is None or name is None:
        return None
    if text(method, "object") == "card":  # legacy: a card stored straight on the customer
        return _card(name, method)
    if text(method, "type") != "card":
        return None
    return _card(name, mapping(method, "card") or {})


def card_of_charge(charge: Json) -> Card | None:
    """The card as this charge presented it, or None when it was no card payment."""
    name = _plain(ident(charge, "payment_method") or ident(charge, "source"))
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
                odd=odd_fields(method),
            )
    return ordered(list(found.values()))


def _consent(holder: Json | None) -> bool | None:
    return {"yes": True, "no": False}.get((text(holder, "metadata", CONSENT_KEY) or "").strip().lower())


def odd_fields(method: Json | None) -> tuple[str, ...]:
    """What of a card is missing or means nothing, by name: its values may be somebody's text and are not repeated."""
    if card_of_method(method) is None:
        return ()
    details = (method if text(method, "object") == "card" else mapping(method, "card")) or {}
    read = _read(details)
    named = {"expiry" if name.startswith("exp_") else name for name, value in read.items() if value is None}
    return tuple(f"{name} {'unusable' if _told(details, name) else 'missing'}" for name in _NAMES if name in named)


def _told(details: Json, name: str) -> bool:
    return any(part(details, one) is not None for one in (("exp_month", "exp_year") if name == "expiry" else (name,)))


def _card(name: str, details: Json) -> Card:
    return Card(payment_method=name, **_read(details))


def _read(details: Json) -> dict[str, Any]:
    """The fields that decisions use, each None where it is missing or means nothing."""
    brand = _plain(text(details, "brand"))
    month, year = whole(details, "exp_month"), whole(details, "exp_year")
    dated = month in range(1, 13) and year in _YEARS
    country, last4 = text(details, "country") or "", text(details, "last4") or ""
    return {
        # Legacy sources write "American Express" where payment methods write "amex".
        "brand": _BRANDS.get(brand, brand.lower()) if brand and brand.lower() != "unknown" else None,
        "funding": funding if (funding := text(details, "funding")) in _FUNDINGS else None,
        "country": country.upper() if len(country) == 2 and country.isascii() and country.isalpha() else None,
        "last4": last4 if len(last4) == 4 and last4.isascii() and last4.isdigit() else None,
        "exp_month": month if dated else None,
        "exp_year": year if dated else None,
        "fingerprint": _plain(text(details, "fingerprint")),
    }


def _plain(told: str | None) -> str | None:
    """Text that fits into keys, rows and logs; Stripe's own always does."""
    usable = told is not None and len(told) <= _TEXT_MAX and told.isascii() and told.isprintable()
    return told if usable else None


_TEXT_MAX: Final = 100
_YEARS: Final = range(1970, 2100)
_FUNDINGS: Final = ("credit", "debit", "prepaid")
_NAMES: Final = ("brand", "funding", "country", "last4", "expiry", "fingerprint")

_BRANDS = {
    "American Express": "amex",
    "Diners Club": "diners",
    "MasterCard": "mastercard",
    "UnionPay": "unionpay",
    "Cartes Bancaires": "cartes_bancaires",
}
