"""Moves the shared business clock from one due instant to the next. Without it 45 days would take 45 days.

The clock jumps only when nothing is due, waiting or under way, in the engine or in the world, and only as far as the next due
instant of either: no window, payday or lease is skipped.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from recovery.runtime.celery_app import Bell, bells_of
from recovery.runtime.clock import SharedClock, machine_now
from recovery.runtime.demo.operator import Operator
from recovery.runtime.demo.world_link import WorldLink
from recovery.storage.backlog_queries import backlog, busy_until
from recovery.storage.connect import reading
from recovery.storage.event_store import event_counts
from recovery.storage.moment import Moment
from recovery.storage.step_store import due_kinds

POLL_SECONDS = 0.005
"""How often the processes are looked at while they work: looking takes time from them, and waiting costs it."""

LEAST_SECONDS = 0.02
"""Nothing that falls due is done sooner: claiming and reading it alone take longer."""

RING_AGAIN_SECONDS = 0.5
"""A bell whose message got lost is rung again after this long."""

STUCK_SECONDS = 180.0
"""Nothing may stay due or under way for longer: leases and holds of the demo are far shorter."""


class DemoStuck(RuntimeError):
    """Something stayed due or under way for STUCK_SECONDS; the message says what."""


def _nobody() -> int:
    """Nobody uses a page."""
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Drives one demo. ``check`` raises when a process has died; ``watch`` is told after every jump and now and then,
    ``visit`` lets customers use their pages and says how many did. ``operator`` is the person at the desk, if there is one."""

    clock: SharedClock
    database: Engine
    world: WorldLink
    ring: Callable[[Bell], None]
    check: Callable[[], None]
    watch: Callable[[datetime], None]
    visit: Callable[[], int] = _nobody
    operator: Operator | None = None

    def run(self, until: datetime) -> None:
        """Play until a business instant. Raises DemoStuck, and RoundNotMade where the operator's last rounds do not end."""
        while True:
            ours, theirs = self._settled()
            if self.visit() or (self.operator and self.operator.round()):
                continue  # what came of it is worked through at the same instant
            due_at = min((at for at in (ours, theirs) if at is not None), default=None)
            if due_at is None or due_at > until:
                break
            self.clock.set(due_at)
            if theirs == due_at:
                self.world.play(due_at)
            if ours == due_at:
                self._ring_due()
            self.watch(due_at)
        self.clock.set(until)
        if self.operator:
            if self.operator.round(last=True):
                self._settled()
            self.operator.book_fees()
        self.watch(until)

    def _settled(self) -> tuple[datetime | None, datetime | None]:
        """Wait until nothing is due or under way; the next due instants of engine and world."""
        began = rang = time.monotonic()
        pause = LEAST_SECONDS
        with self.database.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
            while True:
                if not busy_until(tx, now=self.clock.now())[0]:
                    before = self.world.state()
                    busy, next_due_at = busy_until(tx, now=self.clock.now())
                    after = self.world.state()
                    # Equal counts prove that nothing was delivered while the database was read.
                    same = before.quiet and after.quiet and after.delivered == before.delivered
                    if same and not busy:
                        return next_due_at, after.next_due_at
                elapsed = time.monotonic()
                if elapsed - rang > RING_AGAIN_SECONDS:
                    rang = elapsed
                    self._ring_again()
                if elapsed - began > STUCK_SECONDS:
                    found = (event_counts(tx)["waiting"], backlog(tx, moment=self._moment()), self.world.state())
                    raise DemoStuck(f"stuck at {self.clock.now()}: events waiting, steps and world are {found}")
                time.sleep(pause)
                pause = POLL_SECONDS

    def _ring_due(self) -> None:
        with reading(self.database) as tx:
            due, suspected = due_kinds(tx, moment=self._moment())
        for bell in bells_of(due | suspected):
            self.ring(bell)

    def _ring_again(self) -> None:
        for bell in (Bell.EVENTS, Bell.STEPS, Bell.LETTERS, Bell.SWEEP):
            self.ring(bell)
        if self.operator:
            self.operator.resume()
        self.check()
        self.watch(self.clock.now())

    def _moment(self) -> Moment:
        return Moment(now=self.clock.now(), machine_now=machine_now())
