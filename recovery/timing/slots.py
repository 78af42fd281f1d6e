"""The next instant at which a try is allowed and sensible. Without it windows, spacing, advice and budgets would fight each other."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from recovery.declines.networks import RulePack
from recovery.money import Money
from recovery.timing.banks import BankHours, next_open
from recovery.timing.budgets import Use, room

_ROUNDS_MAX = 50
"""Windows, spacing and budgets each only push forward; they settle in two or three rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """When may this card be tried next?

    ``not_before`` carries the wait of the class and the network's advice; ``last_try_at`` is the last try on the card, for one try per
    local day (None where spacing does not apply); ``hours`` is None where windows do not apply.
    """

    not_before: datetime
    amount: Money
    pack: RulePack
    uses: Sequence[Use]
    country: str | None
    hours: BankHours | None
    zone: str
    last_try_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The instant found, and in words what moved it and which budget allows it."""

    at: datetime
    reason: str


def next_slot(question: Question) -> Slot:
    """The earliest instant that obeys the wait, the spacing, the bank's hours and every network cap at once."""
    at = question.not_before
    moves: list[str] = []
    for _ in range(_ROUNDS_MAX):
        before = at
        at = _spaced(question, at, moves)
        if question.hours is not None:
            opening = next_open(question.hours, question.country, at)
            if opening.moved:
                moves.append(opening.moved)
            at = opening.at
        free = room(question.pack, uses=question.uses, amount=question.amount, at=at)
        if free.at > at:
            moves.append(f"the budget of {free.pack} is used up until {free.at:%d %b %H:%M} UTC")
            at = free.at
        if at == before:
            moves.append(free.brief())
            return Slot(at=at, reason="; ".join(dict.fromkeys(moves)))
    raise AssertionError(f"no slot settles for {question}")


def _spaced(question: Question, at: datetime, moves: list[str]) -> datetime:
    """At most one try per card and local day: after a try, not before the next local midnight."""
    if question.last_try_at is None:
        return at
    zone = ZoneInfo(question.zone)
    last_day = question.last_try_at.astimezone(zone).date()
    if at.astimezone(zone).date() > last_day:
        return at
    moves.append("one try per card and local day")
    return datetime.combine(last_day + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)


def jitter(seed: str, minutes_max: int) -> timedelta:
    """A spread in whole minutes, the same for the same seed, so that thousands do not fire in one second."""
    digest = hashlib.blake2b(seed.encode(), digest_size=8).digest()
    return timedelta(minutes=int.from_bytes(digest) % (minutes_max + 1))
