"""Works through stored events. Without bounds and patience one bad event would block all that came after it."""

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from recovery.engine.door import Door
from recovery.engine.leases import Keeper
from recovery.gateways.port import Gateway, GatewayMisconfigured, GatewayUnavailable, NotFound
from recovery.intake.outcome import Done, Held
from recovery.intake.readings import Readings
from recovery.intake.translate import translate
from recovery.storage.connect import OUR_MISTAKES, at_once, reading, waited_in_vain
from recovery.storage.event_store import (
    StoredEvent,
    claim_events,
    extend_claims,
    finish_event,
    hold_event,
    waiting_kinds,
)

log = structlog.get_logger(__name__)

FAILURES_MAX = 5
"""An event that fails this often is set aside for a person; it never blocks others."""

HOLD_SECONDS_FIRST = 2.0
AWAY_SECONDS = 20.0
REFUSED_SECONDS = 300.0
"""Machine time until the next try: after a mistake (doubling), with the gateway away, with our key refused."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Translates waiting events into facts, in bounded batches."""

    door: Door
    gateway: Gateway
    keeper: Keeper | None = None

    def process(self, *, batch: int) -> int:
        """Take at most ``batch`` waiting events, and one suspect alone; returns how many were taken."""
        with reading(self.door.database) as tx:
            waiting, suspected = waiting_kinds(tx, machine_now=self.door.machine_clock())
        taken = self._batch(batch, suspects=False) if waiting else 0
        return taken + (self._batch(1, suspects=True) if suspected else 0)

    def _batch(self, batch: int, *, suspects: bool) -> int:
        machine_now = self.door.machine_clock()
        whole = batch * 2 + 4 * self.gateway.call_bound_seconds
        lease = whole if self.keeper is None else min(self.keeper.lease_seconds, whole)
        until = machine_now + timedelta(seconds=lease)
        with at_once(self.door.database) as tx:
            taken = claim_events(tx, machine_now=machine_now, lease_until=until, limit=batch, suspects=suspects)
        if not taken:
            return 0
        waiting = {event.id: event for event in taken}

        def extend(tx: Connection, until: datetime) -> None:
            extend_claims(tx, tuple(waiting.values()), until=until)

        keeper = self.keeper
        with nullcontext() if keeper is None else keeper.keeping(self.door, extend, most_seconds=batch * whole):
            readings = Readings(self.gateway, self.door.machine_clock)
            for event in taken:
                self._unless_poison(event, readings)
                del waiting[event.id]
        return len(taken)

    def _unless_poison(self, event: StoredEvent, readings: Readings) -> None:
        if event.unended <= FAILURES_MAX:
            self._one(event, readings)
            return
        detail = f"begun {event.unended - 1} times in a row and never ended: it seems to end its workers"
        self._finish(event, "set_aside", detail)
        log.error("event_set_aside", event_id=event.id, kind=event.kind, detail=detail)

    def _one(self, event: StoredEvent, readings: Readings) -> None:
        try:
            outcome = translate(self.door, self.gateway, event, readings)
        except OUR_MISTAKES as error:
            log.exception("event_failed", event_id=event.id, kind=event.kind)
            words = str(error.orig).partition("\n")[0]  # what follows repeats the row
            self._failed(event, f"{type(error).__name__}: {words}")
        except SQLAlchemyError as error:
            log.warning("database_trouble", event_id=event.id, error=type(error).__name__)
            if waited_in_vain(error):
                # Not to be counted as a claim that nobody ended: after five of them it would pass for what ends its workers.
                with suppress(SQLAlchemyError):
                    self._hold(event, HOLD_SECONDS_FIRST, "others held what it needs in the database", failed=False)
            raise
        except GatewayUnavailable as error:
            self._hold(event, AWAY_SECONDS, str(error), failed=False)
        except GatewayMisconfigured as error:
            self._hold(event, REFUSED_SECONDS, str(error), failed=False)
        except NotFound as error:
            self._finish(event, "done", f"gone at the gateway: {error}")
        except Exception as error:
            log.exception("event_failed", event_id=event.id, kind=event.kind)
            self._failed(event, f"{type(error).__name__}: {error}")
        else:
            self._note(event, outcome)

    def _note(self, event: StoredEvent, outcome: Done | Held) -> None:
        if isinstance(outcome, Done):
            self._finish(event, "done", outcome.detail)
        elif outcome.counts:
            self._failed(event, outcome.detail)
        else:
            self._hold(event, outcome.seconds, outcome.detail, failed=False)

    def _failed(self, event: StoredEvent, detail: str) -> None:
        if event.failures + 1 >= FAILURES_MAX:
            self._finish(event, "set_aside", detail)
            log.error("event_set_aside", event_id=event.id, kind=event.kind, detail=detail)
        else:
            self._hold(event, HOLD_SECONDS_FIRST * 4**event.failures, detail, failed=True)

    def _hold(self, event: StoredEvent, seconds: float, detail: str, *, failed: bool) -> None:
        until = self.door.machine_clock() + timedelta(seconds=seconds)
        with at_once(self.door.database) as tx:
            hold_event(tx, event, until=until, detail=detail, failed=failed)

    def _finish(self, event: StoredEvent, state: str, detail: str) -> None:
        with at_once(self.door.database) as tx:
            finish_event(tx, event, state=state, detail=detail)
        log.info("event_processed", event_id=event.id, kind=event.kind, state=state, detail=detail)
