"""The customers of the world: who they are, how they pay, and what is wrong with their card.

Without a hidden truth per person the same card would answer in contradictory ways, and no strategy could be
better than another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from recovery.simulation.world.dice import dice, drawn
from recovery.simulation.world.parameters import Cause, Parameters
from recovery.simulation.world.places import Home, Place

_LAST4_MAX = 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFace:
    """A card as the gateway sees it."""

    brand: str
    funding: str
    country: str
    exp_month: int
    exp_year: int
    last4: str
    fingerprint: str

    def __hash__(self) -> int:
        return hash(
            self.fingerprint
        )  # tells nearly all apart: no need to look at every field each time a card is looked up


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is really wrong: the cause, when it ends by itself (None: never), and who hears of a new card when."""

    cause: Cause
    first_code: str
    ends_at: datetime | None = None
    chronic: bool = False
    renewed: CardFace | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One customer with one subscription whose renewal fails at `fails_at`."""

    index: int
    name: str
    email: str
    home: Home
    since: datetime
    amount_minor: int
    interval: str
    names_own_card: bool
    """The subscription names its payment method, so the portal's default does not reach it."""
    card: CardFace
    other_card: CardFace
    """The card the customer types in when the old one is of no use."""
    payday_rule: str
    payday_hour: float
    fails_at: datetime
    trouble: Trouble

    @property
    def place(self) -> Place:
        """The country."""
        return self.home.place

    @property
    def tokenized(self) -> bool:
        """Whether a network token in a wallet pays: its card's expiry has passed, and banks go on approving."""
        passed = (self.card.exp_year, self.card.exp_month) < (self.fails_at.year, self.fails_at.month)
        return passed and self.trouble.cause is not Cause.EXPIRED

    @property
    def zone(self) -> str:
        """The name of the local time zone."""
        return self.home.zone


def face(seed: int, index: int, place: Place, parameters: Parameters, *, number: str, at: datetime) -> CardFace:
    """The card of a person by its number (`first`, `other`, `renewed`), valid at `at`."""
    random = dice(seed, "card", index, number)
    digest = hashlib.blake2b(f"{seed}/{index}/{number}".encode(), digest_size=8).hexdigest()
    return CardFace(
        brand=drawn(random, parameters.brands),
        funding="debit" if random.random() < place.debit_share else "credit",
        country=place.country,
        exp_month=random.randint(1, 12),
        exp_year=at.year + random.randint(1, 4),
        last4=f"{random.randint(0, _LAST4_MAX):04d}",
        fingerprint=digest,
    )
