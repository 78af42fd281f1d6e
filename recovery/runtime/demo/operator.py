"""Stands in for the person at the desk. Without it a demo with faults would end at the first refused key, and never hear of what a
lost webhook told.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine

from recovery.runtime.celery_app import Bell
from recovery.storage.connect import reading
from recovery.storage.flag_store import BACKFILLED, CHARGING_HALTED, lower_flag, read_flags

ROUND_SECONDS = 60.0
"""A round reads a page or two of each list; one that takes longer has met something that its next rings tell."""

LOOK_SECONDS = 0.02
RING_AGAIN_SECONDS = 5.0
"""A round that met a fault of the gateway is begun anew after so long."""


class ListsNotRead(RuntimeError):
    """What a lost webhook told may be missing at the end; the message says since when nothing came."""


@dataclass(slots=True, kw_only=True)
class Operator:
    """Resumes charging that a refused key has halted, and has the gateway's lists read: what beat does every half hour, here once a
    business day and only where faults are on, as days pass in seconds.
    """

    database: Engine
    clock: Callable[[], datetime]
    ring: Callable[[Bell], None]
    reads_lists: bool
    seconds_max: float = ROUND_SECONDS
    resumed: int = 0
    _read_on: date | None = None

    def resume(self) -> None:
        """Lower the flag that halts charging: in life a person puts the key right first."""
        with self.database.begin() as tx:
            if any(flag.name == CHARGING_HALTED for flag in read_flags(tx, CHARGING_HALTED)):
                lower_flag(tx, CHARGING_HALTED)
                self.resumed += 1

    def round(self, *, last: bool = False) -> bool:
        """Have the lists read if that was not done on this business day; whether there is anything to work through now.

        Raises ListsNotRead where the last reading does not end; an earlier one that does not is left to the next day's.
        """
        now = self.clock()
        if not self.reads_lists or (self._read_on == now.date() and not last):
            return False
        self._read_on = now.date()
        began = rang = time.monotonic()
        self.ring(Bell.BACKFILL)
        while not self._done(now):
            if time.monotonic() - began > self.seconds_max:
                if last:
                    raise ListsNotRead(
                        f"the gateway's lists were not read within {self.seconds_max:g} s at the end ({now})"
                    )
                return False
            if time.monotonic() - rang > RING_AGAIN_SECONDS:
                rang = time.monotonic()
                self.ring(Bell.BACKFILL)
            time.sleep(LOOK_SECONDS)
        return True

    def _done(self, now: datetime) -> bool:
        with reading(self.database) as tx:
            return any(
                flag.name == BACKFILLED and flag.detail >= now.isoformat() for flag in read_flags(tx, BACKFILLED)
            )
