"""Steps set aside for a person. Without it an order that kills its worker or always fails would be performed for ever.

A step that is set aside keeps its place: it stays the wake-up of its case, and any news that plans its kind anew replaces it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from recovery.cases.lifecycle import StepState
from recovery.storage.lease_store import holds_lease
from recovery.storage.step_store import ClaimedStep
from recovery.storage.tables import steps


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """One step that waits for a person. ``since`` is machine time."""

    id: int
    case_id: str
    kind: str
    since: datetime
    error: str


def set_aside(tx: Connection, step: ClaimedStep, error: str, *, machine_now: datetime) -> bool:
    """Take a claimed step out of the line with its error; False when the claim was no longer ours."""
    if not holds_lease(tx, step):
        return False
    values = {"state": StepState.PLANNED, "lease_until": None, "set_aside_at": machine_now, "error": error}
    tx.execute(update(steps).where(steps.c.id == step.id).values(values | {"failures": steps.c.failures + 1}))
    return True


def set_aside_in_flight(tx: Connection, step: ClaimedStep, error: str, *, machine_now: datetime) -> bool:
    """The same for a lapsed step whose taking back fails: it stays in flight, for its attempt or email may be under way."""
    if not holds_lease(tx, step):
        return False
    tx.execute(update(steps).where(steps.c.id == step.id).values(set_aside_at=machine_now, error=error))
    return True


def steps_set_aside(tx: Connection, *, limit: int) -> Sequence[SetAside]:
    """What was set aside, oldest first."""
    rows = tx.execute(
        select(steps.c.id, steps.c.case_id, steps.c.kind, steps.c.set_aside_at, steps.c.error)
        .where(steps.c.set_aside_at.is_not(None), steps.c.state.in_((StepState.PLANNED, StepState.IN_FLIGHT)))
        .order_by(steps.c.set_aside_at, steps.c.id)
        .limit(limit)
    )
    return [
        SetAside(id=row.id, case_id=row.case_id, kind=row.kind, since=row.set_aside_at, error=row.error or "")
        for row in rows
    ]


def replay_steps(tx: Connection, case_id: str | None = None) -> int:
    """Put steps that were set aside back in line, of one case or of all; returns how many. One in flight lapses at once."""
    query = (
        update(steps)
        .where(steps.c.set_aside_at.is_not(None), steps.c.state.in_((StepState.PLANNED, StepState.IN_FLIGHT)))
        .values(set_aside_at=None, hold_until=None, failures=0, unended=0)
    )
    if case_id is not None:
        query = query.where(steps.c.case_id == case_id)
    return int(tx.execute(query).rowcount)
