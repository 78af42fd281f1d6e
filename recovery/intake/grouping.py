"""Groups the commits of webhooks that arrive together. Without it each would wait for a commit of its own, and the disk for all.

Nobody is answered before the commit that holds his event. There is no waiting for company either: while one commit is under way
the next group gathers.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from recovery.storage.connect import OUR_MISTAKES
from recovery.storage.event_store import StoredEvent, store_events

log = structlog.get_logger(__name__)

GROUP_MAX = 200
"""Events of one commit: beyond it the statement grows and the commit's share is small already."""

WAITING_MAX = 5000
"""Events that may wait for a commit: some seconds of the greatest flood. Who comes then is told to come again."""


class TooManyWaiting(RuntimeError):
    """More events wait to be stored than the database manages; the sender shall repeat."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    event: StoredEvent
    stored: "Future[bool]" = field(default_factory=Future)


class EventWriter:
    """Stores events from one thread of its own, a group a commit; ``close`` ends it."""

    def __init__(self, database: Engine, machine_clock: Callable[[], datetime]) -> None:
        self._database = database
        self._machine_clock = machine_clock
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(WAITING_MAX)
        self._thread = threading.Thread(target=self._run, name="event-writer", daemon=True)
        self._beginning = threading.Lock()

    def store(self, event: StoredEvent) -> "Future[bool]":
        """Whether the event was new, once it is committed; the database's own errors otherwise. Raises TooManyWaiting."""
        waiting = _Waiting(event)
        with self._beginning:
            if self._thread.ident is None:
                self._thread.start()
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            raise TooManyWaiting(f"{WAITING_MAX} events wait to be stored") from None
        return waiting.stored

    def close(self) -> None:
        """Store what waits, then end."""
        if self._thread.ident is not None:
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, ends = [first], False
            while len(group) < GROUP_MAX and not ends:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    ends = True
                else:
                    group.append(following)
            # From here on nobody can call a future off; who had done so before has gone, his event with him.
            self._keep([one for one in group if one.stored.set_running_or_notify_cancel()])
            if ends:
                return

    def _keep(self, group: list[_Waiting]) -> None:
        try:
            with self._database.begin() as tx:
                fresh = store_events(tx, [one.event for one in group], machine_now=self._machine_clock())
        except Exception as error:  # this thread must outlive whatever it is: nobody else stores
            away = isinstance(error, SQLAlchemyError) and not isinstance(error, OUR_MISTAKES)
            if len(group) > 1 and not away:
                for one in group:  # one of them cannot be stored: the others must not suffer for it
                    self._keep([one])
                return
            if not isinstance(error, SQLAlchemyError):
                log.exception("event_not_stored")
            for one in group:
                one.stored.set_exception(error)
        else:
            for one in group:
                one.stored.set_result(one.event.id in fresh)
                fresh.discard(one.event.id)  # doubled within one group: the second was known
