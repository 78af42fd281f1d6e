"""Leases on steps: held, renewed, given back, lapsed. Without them a dead worker would keep its orders and a slow one lose them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, tuple_, update

from recovery.cases.lifecycle import StepState
from recovery.storage.step_store import CLAIMED, ClaimedStep, claimed_from
from recovery.storage.tables import cases, steps


def still_ours(row: Row[*tuple[Any, ...]], step: ClaimedStep) -> bool:
    """Whether a step's row, locked, says that a claim holds: in flight, and claimed by nobody since.

    The count of claims tells, not the lease's end: machine clocks are set back, and two claims may end at the same instant.
    """
    return bool(row.state == StepState.IN_FLIGHT and row.claims == step.claims)


def holds_lease(tx: Connection, step: ClaimedStep) -> bool:
    """Whether a claim is still ours. Locks the row."""
    return still_ours(tx.execute(_HELD, {"step_id": step.id}).one(), step)


_HELD = select(steps.c.state, steps.c.claims).where(steps.c.id == bindparam("step_id")).with_for_update()


def extend_leases(tx: Connection, claimed: Collection[ClaimedStep], *, until: datetime) -> int:
    """Let the leases of claims that are still ours end at ``until``, not before; returns how many were extended.

    Rows that somebody works on at this moment are left for the next time: renewing waits for nobody.
    """
    if not claimed:
        return 0
    given = {"ours": [(step.id, step.claims) for step in claimed], "until": until}
    return int(tx.execute(_LONGER, given).rowcount)


_OURS = (
    select(steps.c.id)
    .where(
        tuple_(steps.c.id, steps.c.claims).in_(bindparam("ours", expanding=True)),
        steps.c.state == StepState.IN_FLIGHT,
    )
    .with_for_update(skip_locked=True)
    .cte("ours")
)
_UNTIL = bindparam("until", type_=steps.c.lease_until.type)
_LONGER = update(steps).where(steps.c.id == _OURS.c.id).values(lease_until=func.greatest(steps.c.lease_until, _UNTIL))


def planned_anew(tx: Connection, step: ClaimedStep) -> bool:
    """Whether a step in flight was planned once more since it was claimed: that plan counts from then on."""
    return bool(tx.execute(select(steps.c.again_at.is_not(None)).where(steps.c.id == step.id)).scalar_one())


def release_step(
    tx: Connection,
    step: ClaimedStep,
    *,
    hold_until: datetime,
    due_at: datetime | None = None,
    error: str | None = None,
    failed: bool = False,
    ended: bool = True,
) -> bool:
    """Give a claim back, to be performed later; False when it was no longer ours. ``error`` says why, and ``failed`` counts it.

    What was planned anew meanwhile takes its place, as it would have with a step that was not in flight.
    ``ended`` is False when its worker never said anything: then the claim goes on counting as unended.
    """
    if not holds_lease(tx, step):
        return False
    values = {
        "state": StepState.PLANNED,
        "lease_until": None,
        "again_at": None,
        "hold_until": func.greatest(steps.c.hold_until, hold_until),
        "due_at": func.coalesce(steps.c.again_at, due_at or step.due_at),
        "error": error,
        "failures": steps.c.failures + (1 if failed else 0),
        "unended": 0 if ended else steps.c.unended,
    }
    tx.execute(update(steps).where(steps.c.id == step.id).values(values))
    return True


def lapsed_steps(tx: Connection, *, machine_now: datetime, limit: int) -> Sequence[ClaimedStep]:
    """Steps in flight whose lease has ended."""
    lapsed = (
        select(*CLAIMED, cases.c.obligation)
        .join(cases)
        .where(steps.c.state == StepState.IN_FLIGHT, steps.c.lease_until <= machine_now, steps.c.set_aside_at.is_(None))
        .order_by(steps.c.lease_until)
        .limit(limit)
    )
    return [claimed_from(row) for row in tx.execute(lapsed).mappings()]
