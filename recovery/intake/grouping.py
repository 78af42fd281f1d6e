"""Groups the commits of webhooks that arrive together. Without it each would wait for a commit of its own, and the disk for all.

Nobody is answered before the commit that holds his event. Who comes alone waits for no company; the next group gathers while a commit
is under way and for a moment after it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from recovery.storage.connect import OUR_MISTAKES, at_once
from recovery.storage.event_store import StoredEvent, store_events

log = structlog.get_logger(__name__)

GROUP_MAX = 200
"""Events of one commit: beyond it the statement grows and the commit's share is small already."""

WAITING_MAX = 5000
"""Events that may wait for a commit: some seconds of the greatest flood. Who comes then is told to come again."""


REST_SECONDS = 0.005
"""Between a commit and the next: far below what a sender notices, and in a flood each commit is worth several events."""


class TooManyWaiting(RuntimeError):
    """More events wait to be stored than the database manages; the sender shall repeat."""


class _Waiting(NamedTuple):
    event: StoredEvent
    stored: "asyncio.Future[bool]"


class EventWriter:
    """Stores the events of one event loop from one thread of its own, a group a commit; ``close`` ends it."""

    def __init__(self, database: Engine, machine_clock: Callable[[], datetime]) -> None:
        self._database = database
        self._machine_clock = machine_clock
        self._waiting: deque[_Waiting] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="event-writer")
        self._busy = False
        """A commit is under way, or rest after it."""

    async def store(self, event: StoredEvent) -> bool:
        """Whether the event waits for a worker, once it is committed; the database's own errors otherwise. Raises TooManyWaiting."""
        if len(self._waiting) >= WAITING_MAX:
            raise TooManyWaiting(f"{WAITING_MAX} events wait to be stored")
        waiting = _Waiting(event, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if not self._busy:
            self._begin()
        return await waiting.stored

    async def close(self) -> None:
        """Store what waits, then end."""
        while self._busy:
            await asyncio.sleep(REST_SECONDS)
        self._thread.shutdown()

    def _begin(self) -> None:
        """Have the next group committed, if there is one; whoever hung up before has gone, his event with him."""
        group: list[_Waiting] = []
        while self._waiting and len(group) < GROUP_MAX:
            one = self._waiting.popleft()
            if not one.stored.done():
                group.append(one)
        self._busy = bool(group)
        if group:
            loop = asyncio.get_running_loop()
            commit = loop.run_in_executor(self._thread, self._kept, [one.event for one in group])
            commit.add_done_callback(lambda ended: self._tell(group, ended.result()))

    def _tell(self, group: Sequence[_Waiting], outcomes: Sequence[bool | Exception]) -> None:
        asyncio.get_running_loop().call_later(REST_SECONDS, self._begin)
        for (_, stored), outcome in zip(group, outcomes, strict=True):
            if stored.done():  # hung up meanwhile: the event is kept all the same
                continue
            if isinstance(outcome, Exception):
                stored.set_exception(outcome)
            else:
                stored.set_result(outcome)

    def _kept(self, group: Sequence[StoredEvent]) -> list[bool | Exception]:
        """In the thread: whether each was new, or why it could not be stored."""
        try:
            with at_once(self._database) as tx:
                fresh = store_events(tx, group, machine_now=self._machine_clock())
        except Exception as error:  # whoever waits must be told, whatever it is: nobody else will
            away = isinstance(error, SQLAlchemyError) and not isinstance(error, OUR_MISTAKES)
            if len(group) > 1 and not away:
                # One of them cannot be stored: the others must not suffer for it.
                return [outcome for one in group for outcome in self._kept([one])]
            if not isinstance(error, SQLAlchemyError):
                log.exception("event_not_stored")
            return [error] * len(group)
        outcomes: list[bool | Exception] = []
        for event in group:
            outcomes.append(event.id in fresh)
            fresh.discard(event.id)  # doubled within one group: the second was known
        return outcomes
