"""What will happen by itself later, in business time.

Without one agenda the shared clock could jump over a payday, a dispute or a late event, because nobody would
know when the sandbox's next instant is due.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import datetime

Act = Callable[[datetime], None]


class Agenda:
    """Acts by due instant; the same instant is ordered by `key`. Guarded by the store's lock."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str, int, Act]] = []
        self._numbers = itertools.count()

    def add(self, at: datetime, key: str, act: Act) -> None:
        """Plan an act. It is called with its own due instant and must not block."""
        heapq.heappush(self._heap, (at, key, next(self._numbers), act))

    @property
    def next_due_at(self) -> datetime | None:
        """When the next act is due; None: nothing is planned."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, until: datetime) -> tuple[datetime, Act] | None:
        """Take the earliest act due at or before `until`."""
        if not self._heap or self._heap[0][0] > until:
            return None
        at, _, _, act = heapq.heappop(self._heap)
        return at, act
