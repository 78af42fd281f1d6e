"""Adds up lives into the figures that are compared. Without intervals a difference of chance would be taken for a better policy."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from recovery.simulation.backtest.compare import Played
from recovery.simulation.backtest.pairs import Pairs
from recovery.simulation.world.parameters import Cause

_Z95 = 1.959964
"""Of the normal distribution: 95 % lie within so many standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share with its 95 % confidence interval, all 0..1."""

    value: float
    low: float
    high: float


@dataclass(slots=True)
class Tally:
    """What one strategy did to all cases; filled case by case, and merged over processes."""

    cases: int = 0
    paid: int = 0
    by_try: int = 0
    silent: int = 0
    tries: int = 0
    emails: int = 0
    breaches: int = 0
    dollars: float = 0.0
    dollars_paid: float = 0.0
    dollars_kept: float = 0.0
    squares: float = 0.0
    squares_paid: float = 0.0
    days: list[float] = field(default_factory=list)
    causes: dict[Cause, list[int]] = field(default_factory=dict)
    pairs: Pairs = field(default_factory=Pairs)

    def add(self, played: Played, *, ours: Played | None = None) -> None:
        """Count one life; ``ours`` is the same case under our policy, which it is compared with."""
        if ours is not None:
            self.pairs.add(ours, played)
        paid = played.paid_days is not None
        self.cases += 1
        self.paid += paid
        self.by_try += played.by_try
        self.silent += played.silent
        self.tries += played.tries
        self.emails += played.emails
        self.breaches += played.breaches
        self.dollars += played.dollars
        self.squares += played.dollars**2
        by_cause = self.causes.setdefault(played.cause, [0, 0])
        by_cause[0] += 1
        if played.paid_days is not None:
            self.dollars_paid += played.dollars
            self.dollars_kept += played.dollars * played.kept
            self.squares_paid += played.dollars**2
            self.days.append(played.paid_days)
            by_cause[1] += 1

    def merge(self, other: Tally) -> None:
        """Add what another process counted."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.pairs.merge(other.pairs)
        self.days += other.days
        for cause, (cases, paid) in other.causes.items():
            mine = self.causes.setdefault(cause, [0, 0])
            mine[0] += cases
            mine[1] += paid

    @property
    def by_count(self) -> Share:
        """Recovered cases of all cases; Wilson's interval."""
        return wilson(self.paid, self.cases)

    @property
    def by_value(self) -> Share:
        """Recovered dollars of all dollars; the ratio's interval by linearisation."""
        if not self.dollars:
            return Share(value=0.0, low=0.0, high=0.0)
        ratio = self.dollars_paid / self.dollars
        # Each case's residual is its value times (paid - ratio).
        spread = self.squares_paid * (1 - ratio) ** 2 + (self.squares - self.squares_paid) * ratio**2
        half = _Z95 * math.sqrt(spread) / self.dollars
        return Share(value=ratio, low=max(0.0, ratio - half), high=min(1.0, ratio + half))

    @property
    def net_value(self) -> float:
        """Recovered dollars that were not refunded later, nor lost in a dispute, of all dollars."""
        return self.dollars_kept / self.dollars if self.dollars else 0.0

    @property
    def tries_per_win(self) -> float | None:
        """Charges sent per charge that brought the money."""
        return self.tries / self.by_try if self.by_try else None

    @property
    def days_to_money(self) -> float | None:
        """The median of days from failure to money."""
        return median(self.days) if self.days else None

    def share_of(self, cause: Cause) -> float | None:
        """Recovered share of one cause."""
        cases, paid = self.causes.get(cause, [0, 0])
        return paid / cases if cases else None


_SUMS = (
    *("cases", "paid", "by_try", "silent", "tries", "emails", "breaches"),
    *("dollars", "dollars_paid", "dollars_kept", "squares", "squares_paid"),
)


def wilson(wins: int, cases: int) -> Share:
    """A share of successes with its 95 % interval, sound for small numbers too."""
    if not cases:
        return Share(value=0.0, low=0.0, high=1.0)
    share, square = wins / cases, _Z95**2
    middle = (share + square / (2 * cases)) / (1 + square / cases)
    half = _Z95 * math.sqrt(share * (1 - share) / cases + square / (4 * cases**2)) / (1 + square / cases)
    return Share(value=share, low=max(0.0, middle - half), high=min(1.0, middle + half))


def as_json(tally: Tally, *, nothing: Tally, oracle: Tally) -> dict[str, Any]:
    """The figures of one strategy, named as the table names them."""

    def shown(share: Share) -> dict[str, float]:
        return {"value": round(share.value, 5), "low": round(share.low, 5), "high": round(share.high, 5)}

    return {
        "cases": tally.cases,
        "recovered": tally.paid,
        "recovered_share": shown(tally.by_count),
        "recovered_value_share": shown(tally.by_value),
        "net_value_share": round(tally.net_value, 5),
        "silent_share": round(tally.silent / tally.cases, 5) if tally.cases else None,
        "share_of_oracle": round(tally.paid / oracle.paid, 5) if oracle.paid else None,
        "value_share_of_oracle": round(tally.dollars_paid / oracle.dollars_paid, 5) if oracle.dollars_paid else None,
        "tries": tally.tries,
        "tries_per_win": round(tally.tries_per_win, 4) if tally.tries_per_win is not None else None,
        "network_breaches": tally.breaches,
        "emails": tally.emails,
        "median_days_to_money": round(tally.days_to_money, 3) if tally.days_to_money is not None else None,
        "churn_avoided_share": round((tally.paid - nothing.paid) / tally.cases, 5) if tally.cases else None,
        "by_cause": {
            cause.value: {"cases": cases, "recovered": paid} for cause, (cases, paid) in sorted(tally.causes.items())
        },
    }
