"""What an updater can do, and what asking or reading brought, as values. Without them silence would look like "unchanged".

Gateways differ: Adyen updates in the payment, Worldpay and Checkout.com on demand, Cybersource in batches of a day or two; Stripe by
itself, without a call that triggers it and without telling which cards are covered (their documentation, read 2026).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from recovery.cases.wallet import KeptCard, Place
from recovery.declines.signals import Card


class UpdaterWay(StrEnum):
    """How a gateway's card updater is made to work."""

    ON_DEMAND = "on_demand"
    """A call asks the networks and answers."""
    IN_PAYMENT = "in_payment"
    """The payment itself presents newer details where there are any."""
    BATCH = "batch"
    """Cards are handed in; answers come after hours or days."""
    PASSIVE = "passive"
    """The gateway updates by itself; we can only read again."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """The stored card has other details: which."""

    card: Card
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """The details are those that were known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The issuer says that the account is closed: these details are dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactCardholder:
    """The issuer knows new details and gives them to nobody: only the customer can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFound:
    """Another card of the customer's is the one to charge."""

    card: Card
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """Nobody can be asked about this card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotYetKnown:
    """Asked; the answer comes later, or nothing can be compared yet."""

    detail: str


Freshness = Updated | Unchanged | Closed | ContactCardholder | OtherFound | Unsupported | NotYetKnown


def compared(old: Card | None, new: Card | None, cards: Sequence[KeptCard] = ()) -> Freshness:
    """What a reading says of the card that was charged: its details compared with those it was charged with."""
    if old is None or new is None:
        return NotYetKnown(detail="no card was charged" if old is None else "no usable card is on file")
    if old.payment_method != new.payment_method:
        place = next((k.place for k in cards if k.card.payment_method == new.payment_method), Place.CUSTOMER)
        return OtherFound(card=new, place=place)
    changed = new.differences(old)
    return Updated(card=new, changed=changed) if changed else Unchanged()


def told(found: Freshness) -> str:
    """An outcome in words, for reasons and the card's history."""
    match found:
        case Updated(card=card, changed=changed):
            return f"{card.brief()}: {', '.join(changed)}"
        case Unchanged():
            return "unchanged"
        case Closed():
            return "the issuer says that the account is closed"
        case ContactCardholder():
            return "the issuer has new details that only the cardholder can give"
        case OtherFound(card=card, place=place):
            return f"now {card.brief()} ({_PLACES[place]})"
        case Unsupported():
            return "nobody can be asked about this card"
        case NotYetKnown(detail=detail):
            return f"not yet known ({detail})"


_PLACES = {
    Place.SUBSCRIPTION: "the subscription's default",
    Place.CUSTOMER: "the customer's default",
    Place.ATTACHED: "saved, no default",
}


def place_told(place: Place) -> str:
    """A place in words."""
    return _PLACES[place]
