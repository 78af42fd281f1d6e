"""Works through stored events. Without bounds and patience one bad event would block all that came after it."""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from recovery.engine.door import Door
from recovery.gateways.port import Gateway, GatewayMisconfigured, GatewayUnavailable, NotFound
from recovery.intake.outcome import Done, Held
from recovery.intake.translate import translate
from recovery.storage.connect import OUR_MISTAKES
from recovery.storage.event_store import StoredEvent, claim_events, finish_event, hold_event

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

    def process(self, *, batch: int) -> int:
        """Take at most ``batch`` waiting events; returns how many were taken."""
        machine_now = self.door.machine_clock()
        lease = timedelta(seconds=batch * 2 + 4 * self.gateway.call_bound_seconds)
        with self.door.database.begin() as tx:
            taken = claim_events(tx, machine_now=machine_now, lease_until=machine_now + lease, limit=batch)
        for event in taken:
            self._one(event)
        return len(taken)

    def _one(self, event: StoredEvent) -> None:
        try:
            outcome = translate(self.door, self.gateway, event)
        except OUR_MISTAKES as error:
            log.exception("event_failed", event_id=event.id, kind=event.kind)
            self._failed(event, f"{type(error).__name__}: {error.orig}")
        except SQLAlchemyError as error:
            log.warning("database_trouble", event_id=event.id, error=type(error).__name__)
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
        with self.door.database.begin() as tx:
            hold_event(tx, event, until=until, detail=detail, failed=failed)

    def _finish(self, event: StoredEvent, state: str, detail: str) -> None:
        with self.door.database.begin() as tx:
            finish_event(tx, event, state=state, detail=detail)
        log.info("event_processed", event_id=event.id, kind=event.kind, state=state, detail=detail)
