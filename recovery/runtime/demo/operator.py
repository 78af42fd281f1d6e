"""Stands in for the person at the desk. Without it a demo with faults would end at the first refused key, and never hear of what a
lost webhook told.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine

from recovery.intake.fees import LOOKED_FOR
from recovery.runtime.celery_app import Bell
from recovery.storage.connect import reading
from recovery.storage.fee_queries import charges_without_fee
from recovery.storage.flag_store import BACKFILLED, CHARGING_HALTED, lower_flag, read_flags

ROUND_SECONDS = 60.0
"""A round reads a page or two of each list; one that takes longer has met something that its next rings tell."""

LOOK_SECONDS = 0.02
RING_AGAIN_SECONDS = 5.0
"""A round that met a fault of the gateway is begun anew after so long."""


class RoundNotMade(RuntimeError):
    """What a lost webhook told, or a fee, may be missing at the end; the message says what was not done."""


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

        Raises RoundNotMade where the last reading does not end; an earlier one that does not is left to the next day's.
        """
        now = self.clock()
        if not self.reads_lists or (self._read_on == now.date() and not last):
            return False
        self._read_on = now.date()
        if self._made(Bell.BACKFILL, lambda: self._read_since(now)):
            return True
        if last:
            raise RoundNotMade(f"the gateway's lists were not read within {self.seconds_max:g} s at the end ({now})")
        return False

    def book_fees(self) -> None:
        """Have the fees booked that no beat has asked for yet: an outcome must not depend on how long it took. Raises RoundNotMade."""
        if not self._made(Bell.BOOKS, self._fees_booked):
            raise RoundNotMade(f"fees were not booked within {self.seconds_max:g} s at the end ({self.clock()})")

    def _made(self, bell: Bell, done: Callable[[], bool]) -> bool:
        """Ring until it is done; whether it was in time."""
        began = rang = time.monotonic()
        self.ring(bell)
        while not done():
            elapsed = time.monotonic()
            if elapsed - began > self.seconds_max:
                return False
            if elapsed - rang > RING_AGAIN_SECONDS:
                rang = elapsed
                self.ring(bell)
            time.sleep(LOOK_SECONDS)
        return True

    def _fees_booked(self) -> bool:
        now = self.clock()
        with reading(self.database) as tx:
            return not charges_without_fee(tx, since=now - LOOKED_FOR, now=now, limit=1)

    def _read_since(self, now: datetime) -> bool:
        with reading(self.database) as tx:
            return any(
                flag.name == BACKFILLED and flag.detail >= now.isoformat() for flag in read_flags(tx, BACKFILLED)
            )
