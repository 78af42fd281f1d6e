"""The two clocks: business time, which a demo may move, and machine time, which is always real.

Without the split, a demo that plays 45 days in a minute would expire every lease and signature; without one
shared business clock its processes would disagree about what is due.
"""

import fcntl
import mmap
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# One signed 64-bit integer: a single load or store of the processor, so that no reader sees half of a change.
SIZE = 8


class ClockNotSet(RuntimeError):
    """The shared business clock has not been set yet: start the process that drives it first."""


class ClockWentBackwards(ValueError):
    """The shared business clock was told to go back; what was due would become undue."""


class Clock(Protocol):
    """Business time."""

    def now(self) -> datetime:
        """The business instant, aware, in UTC."""


class SystemClock:
    """Business time where nobody plays: the machine's."""

    __slots__ = ()

    def now(self) -> datetime:
        """The machine's instant, aware, in UTC."""
        return machine_now()


def machine_now() -> datetime:
    """Real time, for leases, timeouts and signatures; aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that asks the machine


system_clock = SystemClock()


class SharedClock:
    """One business clock for several processes: a file of microseconds since 1970 that all of them map.

    Opening a path that does not exist makes an unset clock; forked children share their parent's.
    """

    __slots__ = ("_path", "_value")

    def __init__(self, path: Path) -> None:
        self._path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, SIZE)  # keeps what is there, and fills a new file with "not set"
            self._value = memoryview(mmap.mmap(descriptor, SIZE)).cast("q")
        finally:
            os.close(descriptor)

    def now(self) -> datetime:
        """The business instant, aware, in UTC. Raises `ClockNotSet`."""
        microseconds = self._value[0]
        if microseconds == 0:
            raise ClockNotSet(f"the business clock {self._path} has not been set")
        return EPOCH + microseconds * MICROSECOND

    def set(self, at: datetime) -> None:
        """Moves the clock for every process. Raises `ClockWentBackwards`, or `ValueError` for a naive
        instant.
        """
        if at.utcoffset() is None:
            raise ValueError(f"a naive instant has no place on a clock: {at}")
        microseconds = (at - EPOCH) // MICROSECOND
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # two that set at once: the later instant wins, or is told
            if microseconds < self._value[0] or microseconds <= 0:
                current = EPOCH + self._value[0] * MICROSECOND
                raise ClockWentBackwards(f"{at.isoformat()} is before {current.isoformat()}")
            self._value[0] = microseconds
        finally:
            os.close(descriptor)


def clock_from(path: Path | None) -> Clock:
    """The shared clock in this file, or the system's without one."""
    return system_clock if path is None else SharedClock(path)
