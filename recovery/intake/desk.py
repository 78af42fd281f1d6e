"""One stored event with everything that its translation needs. Without it each handler would take a handful of arguments."""

from dataclasses import dataclass
from datetime import timedelta

from recovery.cases.facts import Fact
from recovery.declines.signals import Initiator
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.gateways.port import Gateway
from recovery.intake.outcome import Done, Held
from recovery.intake.readings import Readings
from recovery.storage.event_store import StoredEvent

LOOKED_AT_LEAST = timedelta(days=1)
"""So often an event that waits is looked at in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every handler needs."""

    door: Door
    gateway: Gateway
    event: StoredEvent
    readings: Readings

    def text(self, name: str) -> str | None:
        """A kept field of the event, if it is text."""
        value = self.event.content.get(name)
        return value if isinstance(value, str) else None

    @property
    def initiator(self) -> Initiator:
        """Who caused it, if our own attempts are excluded: no API call at all means the gateway by itself."""
        return Initiator.CUSTOMER if self.event.caused_by_request else Initiator.GATEWAY

    @property
    def waited(self) -> timedelta:
        """How long the event has been here."""
        received_at = self.event.received_at
        return max(self.door.machine_clock() - received_at, timedelta(0)) if received_at else timedelta(0)

    def hold(self, detail: str, *, seconds: float) -> Held:
        """Look again so soon, later the longer it has waited already: what nobody can tell any more is not asked for all the time."""
        later = min(self.waited / 10, LOOKED_AT_LEAST)
        return Held(detail, seconds=max(seconds, later.total_seconds()))


def tell(desk: Desk, case_ids: list[str], fact: Fact) -> Done | Held:
    """Let a fact in at each of these cases."""
    if not case_ids:
        return Done("no case")
    told = [advance(desk.door, case_id, fact) for case_id in case_ids]
    return Done("; ".join(f"{t.case.id}: {'told' if t.decision else 'known'}" for t in told))
