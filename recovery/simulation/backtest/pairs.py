"""Two strategies on the same cases. Without it a difference would be judged as if each had met customers of its own, and most of what
is certain would look like chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import product

from recovery.simulation.backtest.compare import Played

_Z95 = 1.959964
"""Of the normal distribution: 95 % lie within so many standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A difference and half the width of its 95 % interval."""

    value: float
    half: float


@dataclass(slots=True)
class Pairs:
    """Our policy and another strategy, case by case; filled with each case, and merged over processes.

    ``products`` holds, over all cases, the sums of the products of any two of: our charges, our wins by charge, and theirs.
    """

    cases: int = 0
    ours_only: int = 0
    theirs_only: int = 0
    sums: list[int] = field(default_factory=lambda: [0] * 4)
    products: list[int] = field(default_factory=lambda: [0] * 16)

    def add(self, ours: Played, theirs: Played) -> None:
        """Count one case."""
        won, lost = ours.paid_days is not None, theirs.paid_days is not None
        self.cases += 1
        self.ours_only += won and not lost
        self.theirs_only += lost and not won
        values = (ours.tries, int(ours.by_try), theirs.tries, int(theirs.by_try))
        self._more(values, [a * b for a, b in product(values, values)])

    def merge(self, other: Pairs) -> None:
        """Add what another process counted."""
        self.cases += other.cases
        self.ours_only += other.ours_only
        self.theirs_only += other.theirs_only
        self._more(other.sums, other.products)

    def _more(self, sums: tuple[int, ...] | list[int], products: list[int]) -> None:
        self.sums = [a + b for a, b in zip(self.sums, sums, strict=True)]
        self.products = [a + b for a, b in zip(self.products, products, strict=True)]

    def recovered(self, of: int) -> Gap:
        """How many more cases our policy recovered, as a part of ``of``."""
        more, either = self.ours_only - self.theirs_only, self.ours_only + self.theirs_only
        spread = either - more**2 / self.cases if self.cases else 0.0
        return Gap(value=more / (of or 1), half=_Z95 * math.sqrt(spread) / (of or 1))

    def tries_per_win(self) -> Gap | None:
        """How many more charges our policy needed for each win; None where one of the two never won. By linearisation."""
        tries, wins, their_tries, their_wins = self.sums
        if not wins or not their_wins:
            return None
        ours, theirs = tries / wins, their_tries / their_wins
        # Each case's residual is a weighted sum of its four values.
        weights = (1 / wins, -ours / wins, -1 / their_wins, theirs / their_wins)
        spread = sum(a * b * total for (a, b), total in zip(product(weights, weights), self.products, strict=True))
        return Gap(value=ours - theirs, half=_Z95 * math.sqrt(max(spread, 0.0)))
