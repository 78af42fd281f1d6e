"""The next instant at which a try is allowed and sensible. Without it windows, spacing, advice and budgets would fight each other."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from recovery.declines.networks import NetworkRules, RulePack
from recovery.money import Money
from recovery.sentences import Told
from recovery.timing.budgets import Use, budget_brief, earliest, rooms
from recovery.timing.windows import SEARCH_DAYS, Stretch, Window
from recovery.values import maker, quick

_NO_TIME, _ONE_DAY = timedelta(0), timedelta(days=1)

_ANOTHER_DAY = timedelta(days=2)
"""So long after an instant the local day is another one anywhere, though a clock were changed by a whole day meanwhile."""

_ROUNDS_MAX = 50
"""Windows, spacing and budgets each only push forward; they settle in two or three rounds."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """When may this card be tried next?

    ``not_before`` carries the wait of the class and the network's advice, ``because`` says in words what it waits for.
    ``window`` is always the issuer's; ``risk_max`` None switches its weights off. ``last_try_at`` is the last try on the
    card, for one try per local day (None where spacing does not apply). ``jitter_seconds`` spreads the slot out, as far as
    the stretch of hours it falls in and ``spread_until`` allow: a slot before that instant stays before it. ``rule`` names what
    asks, for the journal.
    """

    not_before: datetime
    because: Told
    amount: Money
    networks: NetworkRules
    brand: str | None
    country: str | None
    uses: Sequence[Use]
    window: Window
    risk_max: float | None
    last_try_at: datetime | None
    jitter_seconds: int = 0
    spread_until: datetime | None = None
    rule: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The instant found (None: never within SEARCH_DAYS); in words what moved it and which budget allows it.

    ``settled_at`` is the instant before the spread was added, ``pack`` the edition whose budgets allow it.
    """

    at: datetime | None
    question: Question
    moves: tuple["Move", ...]
    pack: RulePack | None = None
    settled_at: datetime | None = None

    @property
    def zone(self) -> str:
        """The zone in which its local time is told."""
        return self.question.window.zone

    @property
    def rejected(self) -> tuple[str, ...]:
        """Each instant that was wished for and not allowed, with what forbade it."""
        return tuple(move.told(self.question) for move in self.moves)

    @property
    def reason(self) -> str:
        """Why this instant. In words only when asked for: most slots are only compared."""
        asked = self.question
        if self.settled_at is None or self.pack is None:
            return f"no hour within {SEARCH_DAYS} days carries a risk of at most {asked.risk_max:g}"
        found = rooms(self.pack, uses=asked.uses, amount=asked.amount, at=self.settled_at)
        moved = (f"rejected {move}" for move in self.rejected)
        told = (str(asked.because), *moved, budget_brief(self.pack, found))
        return "; ".join(reason for reason in told if reason)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """An instant that was not allowed, and by what: risky hours, a used-up budget (until when), or else the spacing."""

    at: datetime
    risky: Stretch | None = None
    pack: RulePack | None = None
    until: datetime | None = None

    def told(self, question: Question) -> str:
        """In words."""
        when = f"{question.window.local(self.at):%a %d %b %H:%M} {question.window.zone}"
        if self.risky is not None:
            return f"{when}: {self.risky.name} (risk {self.risky.weight:g} above {question.risk_max:g})"
        if self.pack is not None:
            return f"{when}: the budget of {self.pack.name()} is used up until {self.until:%d %b %H:%M} UTC"
        return f"{when}: one try per card and local day"


_slot, _move = maker(Slot), maker(Move)


def next_slot(question: Question) -> Slot:
    """The earliest instant that obeys the wait, the spacing, the bank's hours and every network cap at once."""
    at, ends = question.not_before, None
    moves: list[Move] = []
    for _ in range(_ROUNDS_MAX):
        before = at
        if question.last_try_at is not None and at - question.last_try_at <= _ANOTHER_DAY:
            at = _spaced(question, question.last_try_at, at, moves)
        if question.risk_max is not None:
            stretch = question.window.next_within(question.risk_max, at)
            if stretch is None:
                return _slot(at=None, question=question, moves=tuple(moves))
            if stretch.starts > at:
                moves.append(_move(at=at, risky=question.window.at(at)))
                at = stretch.starts
            ends = stretch.ends
        pack = question.networks.in_force(question.brand, at, question.country)
        latest = earliest(pack, uses=question.uses, amount=question.amount, at=at)
        if latest > at:
            moves.append(_move(at=at, pack=pack, until=latest))
            at = latest
        if at == before:
            spread = _spread(question, at, ends) if question.jitter_seconds else _NO_TIME
            return _slot(at=at + spread, question=question, moves=tuple(moves), pack=pack, settled_at=at)
    raise AssertionError(f"no slot settles for {question}")


def _spaced(question: Question, last_try_at: datetime, at: datetime, moves: list[Move]) -> datetime:
    """At most one try per card and local day: after a try, not before the next local midnight."""
    last_day = question.window.local(last_try_at).date()
    if question.window.local(at).date() > last_day:
        return at
    moves.append(_move(at=at))
    return question.window.instant(last_day + _ONE_DAY, time.min)


def _spread(question: Question, at: datetime, ends: datetime | None) -> timedelta:
    """The jitter, shortened in proportion where the stretch of hours ends before it."""
    wanted = timedelta(seconds=question.jitter_seconds)
    if question.spread_until is not None and at <= question.spread_until:
        ends = question.spread_until if ends is None else min(ends, question.spread_until)
    if ends is None or at + wanted < ends:
        return wanted
    left = int((ends - at).total_seconds())
    return timedelta(seconds=question.jitter_seconds * max(left - 1, 0) // (question.jitter_seconds + left))


def jitter(seed: str, minutes_max: int) -> int:
    """A spread in seconds, the same for the same seed, so that thousands do not fire in one second."""
    digest = hashlib.blake2b(seed.encode(), digest_size=8).digest()
    return int.from_bytes(digest) % (60 * minutes_max + 1)
