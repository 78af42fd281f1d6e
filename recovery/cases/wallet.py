"""The customer's cards as the gateway keeps them, in the order in which they would be charged.

Without it only the card by default would exist: a customer who changed the card in the gateway's portal, which leaves the
subscription's own default alone, would go on failing on the old one.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from recovery.declines.signals import Card
from recovery.values import quick


class Place(StrEnum):
    """Where a card stands; the order is the order of charging."""

    SUBSCRIPTION = "subscription"
    """The subscription names it: it comes before the customer's default (docs.stripe.com/api/subscriptions, read 2026)."""
    CUSTOMER = "customer"
    """The customer's default for invoices; all that the gateway's portal changes."""
    ATTACHED = "attached"
    """Saved, but no default."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCard:
    """One of the customer's cards. ``saved_at`` and ``consent`` (to be charged as a backup) are None where nothing tells.

    ``odd`` names what of its details the gateway left out or told so that it means nothing.
    """

    card: Card
    place: Place
    saved_at: datetime | None = None
    consent: bool | None = None
    odd: tuple[str, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """What one reading shows. ``default`` is what the gateway itself would charge; None when that is no card, or nothing is set.

    ``cards`` are in order of place, those of one place newest first. ``odd`` says what about the customer was not as it should be.
    """

    default: Card | None = None
    cards: tuple[KeptCard, ...] = ()
    odd: tuple[str, ...] = ()


def ordered(cards: list[KeptCard]) -> tuple[KeptCard, ...]:
    """By place, then newest first; what has no instant comes last. Equal ones keep their order."""
    if len(cards) <= 1:
        return tuple(cards)
    places = list(Place)
    by_age = sorted(cards, key=lambda kept: -kept.saved_at.timestamp() if kept.saved_at else 0.0)
    return tuple(sorted(by_age, key=lambda kept: places.index(kept.place)))
