"""Keeps the leases of a living worker. Without it a lease must outlast the slowest call, and a dead worker's work waits as long.

A claim is short and is renewed from a thread of the worker while its order is performed: the renewals end with the process. Safe even
if they never come: nothing that is performed relies on them.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from recovery.engine.door import Door

log = structlog.get_logger(__name__)

RENEWALS = 3
"""Renewals within one lease: one may fail and the next still comes in time."""

Extend = Callable[[Connection, datetime], object]
"""Lets whatever is still being performed be ours until a machine instant."""


class Keeper(Protocol):
    """Claims for a while, and keeps what it claimed."""

    @property
    def lease_seconds(self) -> float:
        """How long one claim lasts without a renewal; longer than the longest pause of a healthy worker."""
        ...

    def keeping(self, door: Door, extend: Extend, *, most_seconds: float) -> AbstractContextManager[None]:
        """Renew while the context lasts, ``most_seconds`` from now at the longest."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseKeeper:
    """Renews from a thread."""

    lease_seconds: float = 30.0

    @contextmanager
    def keeping(self, door: Door, extend: Extend, *, most_seconds: float) -> Iterator[None]:
        """One thread for as long as the context lasts."""
        over = threading.Event()
        ends_at = door.machine_clock() + timedelta(seconds=most_seconds)
        thread = threading.Thread(target=self._renew, args=(door, extend, over, ends_at), name="leases", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _renew(self, door: Door, extend: Extend, over: threading.Event, ends_at: datetime) -> None:
        while not over.wait(self.lease_seconds / RENEWALS):
            now = door.machine_clock()
            if now >= ends_at:
                log.error("lease_not_renewed", reason="the order takes longer than it ever may")
                return
            try:
                with door.database.begin() as tx:
                    extend(tx, min(now + timedelta(seconds=self.lease_seconds), ends_at))
            except SQLAlchemyError as error:
                log.warning("lease_not_renewed", reason=type(error).__name__)
