"""Which people a seed is about: countries, networks, sums, standing. Without it every run would tell the same customers' story."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sim_books import UNTOLD, Since
from sim_faults import Faults
from sim_issuers import ADVISED, FAILING, REFUSED, TURNING, WAITING

COUNTRIES = ("US", "DE", "JP", "AE", "GB", None)
CURRENCIES = ("usd", "usd", "eur", "jpy", "kwd")
AMOUNTS = (990, 4900, 12000)
BILLS = (1, 1, 1, 2)
FIRST_DAYS = 400_000.0

ODD_AMOUNTS = (1, 101, 4901, 60_000, 1_234_567)
"""What cannot be halved, is next to nothing, or is enough for the policy's care of large sums."""

TENURES_DAYS = (20, 80, 100, 350, 380, 2000)
"""Around the borders between the policy's groups: three months and a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a seed's people are drawn from. ``shares`` of the customers use one and the same card."""

    countries: tuple[str | None, ...] = COUNTRIES
    currencies: tuple[str, ...] = CURRENCIES
    amounts: tuple[int, ...] = AMOUNTS
    moods: tuple[str, ...] = FAILING
    bills: tuple[int, ...] = BILLS
    shares: float = 0.0
    fails_within_seconds: float = FIRST_DAYS
    """How long it takes until the last invoice has failed."""
    told: bool = False
    """Whether the gateway tells how long its subscriptions are kept."""

    def since(self, dice: random.Random, now: datetime) -> Since:
        """A subscription's standing."""
        if not self.told:
            return UNTOLD
        days = dice.choice(TENURES_DAYS)
        ended = now - timedelta(days=dice.choice((0, 1, 30))) if dice.random() < 0.4 else None
        return Since(
            subscribed_at=now - timedelta(days=days),
            trial_ended_at=ended,
            interval=dice.choice(("month", "month", "month", "year")),
        )


def drawn(faults: Faults) -> World:
    """The world of a seed: mostly the plain one with one or two things that are special."""
    dice = faults.dice.of("world")
    special = {kind: faults.allows(kind) and dice.random() < share for kind, share in _SPECIAL}
    currency = dice.choice(CURRENCIES)
    family = special["family"]
    return World(
        countries=("IN", "IN", *COUNTRIES[:3]) if special["indian_cards"] else COUNTRIES,
        currencies=(currency,) if family else CURRENCIES,
        amounts=_amounts(dice, family=family, odd=special["odd_amounts"]),
        moods=_moods(dice) if special["advice"] else FAILING,
        bills=(1, 2, 2, 3) if family else BILLS,
        # A rule that is new on a day, as Visa's of 25 October, meets what was said before it.
        fails_within_seconds=dice.choice((1, 4)) * FIRST_DAYS if special["advice"] else FIRST_DAYS,
        shares=dice.choice((0.7, 1.0)) if special["shared_card"] else 0.0,
        told=special["standing"],
    )


_SPECIAL = (
    ("family", 0.2),
    ("indian_cards", 0.15),
    ("odd_amounts", 0.25),
    ("advice", 0.4),
    ("shared_card", 0.35),
    ("standing", 0.4),
)


def _amounts(dice: random.Random, *, family: bool, odd: bool) -> tuple[int, ...]:
    """Those of a family are alike, so that its invoices share every budget."""
    found: Sequence[int] = (*AMOUNTS, *ODD_AMOUNTS, *ODD_AMOUNTS) if odd else AMOUNTS
    return (dice.choice(found),) if family else tuple(found)


def _moods(dice: random.Random) -> tuple[str, ...]:
    """A seed hears few of the networks' words, so that several of its cards hear the same."""
    if dice.random() < 0.5:
        return (dice.choice(TURNING),)
    return (*dice.choices(WAITING, k=2), *dice.choices(REFUSED, k=2), *ADVISED, "funds", "good")
