"""Lets charging rest while the gateway is ill. Without it every due charge would end in doubt, one after the other.

Our own: the library at hand holds a lock over the guarded call, which would make all charges of a worker wait for each other, and
reads a clock that no test can drive.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from recovery.cases.answers import Answer, NotSent, Unknown

log = structlog.get_logger(__name__)

FAILURES_MAX = 10
"""Calls in a row without a clear answer: a few are the network's weather, ten are the gateway's."""

REST_SECONDS_FIRST = 30.0
REST_SECONDS_MAX = 300.0
"""The first rest is as long as a hiccup; each further failure in a row doubles it, to five minutes at most."""

AHEAD_SECONDS = 30.0
"""How long the others wait for the answer to the one that goes first after a rest."""


class Breaker:
    """Counts failures in a row, for all threads of a process. Any clear answer, a decline too, ends the count."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._until: datetime | None = None
        self._ahead_until: datetime | None = None

    def rest_seconds(self) -> float:
        """How long charging still rests; 0 when it does not. After a rest one goes first: were the gateway ill still, all would end
        in doubt.
        """
        with self._lock:
            if self._until is None:
                return 0.0
            now = self._clock()
            left = (max(self._until, self._ahead_until or self._until) - now).total_seconds()
            if left <= 0:
                self._ahead_until = now + timedelta(seconds=AHEAD_SECONDS)
        return max(left, 0.0)

    def heard(self, answer: Answer) -> None:
        """What a call ended with. One that was not sent says nothing of the gateway: it got no turn, or no connection."""
        if isinstance(answer, Unknown):
            self.failed()
        elif not isinstance(answer, NotSent):
            self.answered()

    def answered(self) -> None:
        """The gateway gave a clear answer."""
        with self._lock:
            self._failures, self._until, self._ahead_until = 0, None, None

    def failed(self) -> None:
        """The gateway gave none."""
        with self._lock:
            self._failures += 1
            beyond = self._failures - FAILURES_MAX
            now = self._clock()
            if beyond < 0 or (self._until is not None and now < self._until):
                return  # those that were under way when the rest began say nothing new
            rest = min(REST_SECONDS_FIRST * 2.0 ** min(beyond, 10), REST_SECONDS_MAX)
            self._until = now + timedelta(seconds=rest)
        log.error("charging_rests", seconds=rest, failures=self._failures)
