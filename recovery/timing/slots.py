"""The next instant at which a try is allowed and sensible. Without it windows, spacing, advice and budgets would fight each other."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from recovery.declines.networks import NetworkRules
from recovery.money import Money
from recovery.timing.budgets import Use, budget_brief, rooms
from recovery.timing.windows import SEARCH_DAYS, Window

_ROUNDS_MAX = 50
"""Windows, spacing and budgets each only push forward; they settle in two or three rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """When may this card be tried next?

    ``not_before`` carries the wait of the class and the network's advice, ``because`` says in words what it waits for.
    ``window`` is always the issuer's; ``risk_max`` None switches its weights off. ``last_try_at`` is the last try on the
    card, for one try per local day (None where spacing does not apply). ``jitter_seconds`` spreads the slot out, as far as
    the stretch of hours it falls in allows.
    """

    not_before: datetime
    because: str
    amount: Money
    networks: NetworkRules
    brand: str | None
    country: str | None
    uses: Sequence[Use]
    window: Window
    risk_max: float | None
    last_try_at: datetime | None
    jitter_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The instant found (None: never within SEARCH_DAYS), and in words what moved it and which budget allows it."""

    at: datetime | None
    reason: str
    zone: str
    rejected: tuple[str, ...] = ()


def next_slot(question: Question) -> Slot:
    """The earliest instant that obeys the wait, the spacing, the bank's hours and every network cap at once."""
    at = question.not_before
    moves: list[str] = []
    for _ in range(_ROUNDS_MAX):
        before = at
        at = _spaced(question, at, moves)
        opened = _opened(question, at, moves)
        if opened is None:
            return _never(question, moves)
        at, ends = opened
        pack = question.networks.in_force(question.brand, at, question.country)
        found = rooms(pack, uses=question.uses, amount=question.amount, at=at)
        latest = max(room.at for room in found)
        if latest > at:
            moves.append(
                f"{_told(question, at)}: the budget of {pack.name()} is used up until {latest:%d %b %H:%M} UTC"
            )
            at = latest
        if at == before:
            reasons = [question.because, *(f"rejected {move}" for move in moves), budget_brief(pack, found)]
            return Slot(
                at=at + _spread(question, at, ends),
                reason="; ".join(reason for reason in reasons if reason),
                zone=question.window.zone,
                rejected=tuple(moves),
            )
    raise AssertionError(f"no slot settles for {question}")


def _told(question: Question, at: datetime) -> str:
    return f"{question.window.local(at):%a %d %b %H:%M} {question.window.zone}"


def _never(question: Question, moves: list[str]) -> Slot:
    why = f"no hour within {SEARCH_DAYS} days carries a risk of at most {question.risk_max:g}"
    return Slot(at=None, reason=why, zone=question.window.zone, rejected=tuple(moves))


def _opened(question: Question, at: datetime, moves: list[str]) -> tuple[datetime, datetime | None] | None:
    """The instant pushed out of risky hours, and when the hours it falls in end; None when there are no better ones."""
    if question.risk_max is None:
        return at, None
    stretch = question.window.next_within(question.risk_max, at)
    if stretch is None:
        return None
    if stretch.starts <= at:
        return at, stretch.ends
    risky = question.window.at(at)
    moves.append(f"{_told(question, at)}: {risky.name} (risk {risky.weight:g} above {question.risk_max:g})")
    return stretch.starts, stretch.ends


def _spaced(question: Question, at: datetime, moves: list[str]) -> datetime:
    """At most one try per card and local day: after a try, not before the next local midnight."""
    if question.last_try_at is None:
        return at
    last_day = question.window.local(question.last_try_at).date()
    if question.window.local(at).date() > last_day:
        return at
    moves.append(f"{_told(question, at)}: one try per card and local day")
    return question.window.instant(last_day + timedelta(days=1), time.min)


def _spread(question: Question, at: datetime, ends: datetime | None) -> timedelta:
    """The jitter, shortened in proportion where the stretch of hours ends before it."""
    if not question.jitter_seconds:
        return timedelta(0)
    wanted = timedelta(seconds=question.jitter_seconds)
    if ends is None or at + wanted < ends:
        return wanted
    left = int((ends - at).total_seconds())
    return timedelta(seconds=question.jitter_seconds * max(left - 1, 0) // (question.jitter_seconds + left))


def jitter(seed: str, minutes_max: int) -> int:
    """A spread in seconds, whole minutes, the same for the same seed, so that thousands do not fire in one second."""
    digest = hashlib.blake2b(seed.encode(), digest_size=8).digest()
    return 60 * (int.from_bytes(digest) % (minutes_max + 1))
