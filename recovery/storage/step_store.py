"""Steps as rows: due times, claims and leases. Without claims two workers would perform one order."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from recovery.cases.case import Decision, Plan
from recovery.cases.lifecycle import OPEN, StepKind, StepState
from recovery.storage.moment import Moment
from recovery.storage.tables import cases, steps


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedStep:
    """A step that this worker may perform until its lease ends (machine time)."""

    id: int
    case_id: str
    kind: StepKind
    due_at: datetime
    lease_until: datetime
    claims: int
    failures: int


def apply_steps(tx: Connection, decision: Decision, *, moment: Moment) -> None:
    """Cancel and plan the steps of a decision. A kind that is in flight is noted to come again afterwards."""
    case_id = decision.case.id
    planned = {plan.kind for plan in decision.plan}
    gone = decision.cancel | planned
    if gone:
        tx.execute(
            update(steps)
            .where(steps.c.case_id == case_id, steps.c.kind.in_(gone), steps.c.state == StepState.PLANNED)
            .values(state=StepState.CANCELLED, lease_until=None)
        )
    if not decision.plan:
        return
    busy = set(
        tx.execute(
            select(steps.c.kind).where(
                steps.c.case_id == case_id, steps.c.kind.in_(planned), steps.c.state == StepState.IN_FLIGHT
            )
        ).scalars()
    )
    for plan in decision.plan:
        if plan.kind in busy:
            _come_again(tx, case_id, plan, moment)
        else:
            _insert(tx, case_id, plan, moment)


def _hold(plan: Plan, moment: Moment) -> datetime | None:
    return moment.machine_now + timedelta(seconds=plan.hold_seconds) if plan.hold_seconds else None


def _insert(tx: Connection, case_id: str, plan: Plan, moment: Moment) -> None:
    hold = _hold(plan, moment)
    row = {"case_id": case_id, "kind": plan.kind, "state": StepState.PLANNED, "due_at": plan.due_at, "hold_until": hold}
    tx.execute(insert(steps).values(row))


def _come_again(tx: Connection, case_id: str, plan: Plan, moment: Moment) -> None:
    """Note the plan on the step in flight. Its ``hold_until``, empty since the claim, then speaks of the next time."""
    hold = _hold(plan, moment)
    tx.execute(
        update(steps)
        .where(steps.c.case_id == case_id, steps.c.kind == plan.kind, steps.c.state == StepState.IN_FLIGHT)
        .values(
            again_at=func.least(func.coalesce(steps.c.again_at, plan.due_at), plan.due_at),
            hold_until=func.greatest(steps.c.hold_until, hold),
        )
    )


def finish_step(tx: Connection, step_id: int, *, moment: Moment) -> Plan | None:
    """Mark a step done; the plan it was asked to repeat meanwhile, if any. A step done already stays done."""
    row = tx.execute(select(steps).where(steps.c.id == step_id).with_for_update()).mappings().one()
    if row["state"] in (StepState.DONE, StepState.CANCELLED):
        return None
    tx.execute(update(steps).where(steps.c.id == step_id).values(state=StepState.DONE, lease_until=None))
    again: datetime | None = row["again_at"]
    if again is None:
        return None
    held: datetime | None = row["hold_until"]
    hold_seconds = max((held - moment.machine_now).total_seconds(), 0.0) if held else 0.0
    return Plan(kind=StepKind(row["kind"]), due_at=max(again, moment.now), hold_seconds=hold_seconds)


def claim_steps(
    tx: Connection,
    kinds: Collection[StepKind],
    *,
    moment: Moment,
    limit: int,
    lease_seconds: float,
) -> list[ClaimedStep]:
    """Take due steps of some kinds, oldest first, that nobody else has, for the length of a lease."""
    due = (
        select(steps.c.id)
        .where(
            steps.c.state == StepState.PLANNED,
            steps.c.due_at <= moment.now,
            steps.c.kind.in_(kinds),
            or_(steps.c.hold_until.is_(None), steps.c.hold_until <= moment.machine_now),
        )
        .order_by(steps.c.due_at, steps.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")  # evaluated once: as a plain subquery the limit could be passed over
    )
    lease_until = moment.machine_now + timedelta(seconds=lease_seconds)
    taken = (
        update(steps)
        .where(steps.c.id == due.c.id)
        .values(state=StepState.IN_FLIGHT, lease_until=lease_until, claims=steps.c.claims + 1, hold_until=None)
        .returning(
            steps.c.id,
            steps.c.case_id,
            steps.c.kind,
            steps.c.due_at,
            steps.c.lease_until,
            steps.c.claims,
            steps.c.failures,
        )
    )
    rows = tx.execute(taken).mappings().all()
    claimed = [ClaimedStep(**{**row, "kind": StepKind(row["kind"])}) for row in rows]
    return sorted(claimed, key=lambda step: (step.due_at, step.id))


def due_kinds(tx: Connection, *, moment: Moment) -> frozenset[StepKind]:
    """The kinds of steps of which at least one could be claimed now: one question instead of one claim a kind."""
    found = (
        select(steps.c.kind)
        .distinct()
        .where(
            steps.c.state == StepState.PLANNED,
            steps.c.due_at <= moment.now,
            or_(steps.c.hold_until.is_(None), steps.c.hold_until <= moment.machine_now),
        )
    )
    return frozenset(StepKind(kind) for kind in tx.execute(found).scalars())


def holds_lease(tx: Connection, step: ClaimedStep) -> bool:
    """Whether a claim is still ours: in flight, and claimed by nobody since. Locks the row.

    The count of claims tells, not the lease's end: machine clocks are set back, and two claims may end at the same instant.
    """
    row = tx.execute(select(steps.c.state, steps.c.claims).where(steps.c.id == step.id).with_for_update()).one()
    return bool(row.state == StepState.IN_FLIGHT and row.claims == step.claims)


def release_step(
    tx: Connection, step: ClaimedStep, *, hold_until: datetime, due_at: datetime | None = None, error: str | None = None
) -> bool:
    """Give a claim back, to be performed later; False when it was no longer ours. ``error`` counts as a failure."""
    if not holds_lease(tx, step):
        return False
    values = {
        "state": StepState.PLANNED,
        "lease_until": None,
        "again_at": None,
        "hold_until": func.greatest(steps.c.hold_until, hold_until),
        "due_at": due_at or step.due_at,
        "error": error,
        "failures": steps.c.failures + (1 if error else 0),
    }
    tx.execute(update(steps).where(steps.c.id == step.id).values(values))
    return True


def lapsed_steps(tx: Connection, *, machine_now: datetime, limit: int) -> Sequence[ClaimedStep]:
    """Steps in flight whose lease has ended."""
    rows = tx.execute(
        select(
            steps.c.id,
            steps.c.case_id,
            steps.c.kind,
            steps.c.due_at,
            steps.c.lease_until,
            steps.c.claims,
            steps.c.failures,
        )
        .where(steps.c.state == StepState.IN_FLIGHT, steps.c.lease_until <= machine_now)
        .order_by(steps.c.lease_until)
        .limit(limit)
    ).mappings()
    return [ClaimedStep(**{**row, "kind": StepKind(row["kind"])}) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What the steps table holds: next due business instant, what is in flight, what is due now, what is held back."""

    next_due_at: datetime | None
    due: int
    in_flight: int
    held: int
    failing: int


def backlog(tx: Connection, *, moment: Moment) -> Backlog:
    """Count the open steps."""
    planned = steps.c.state == StepState.PLANNED
    due = and_(planned, steps.c.due_at <= moment.now)
    held = and_(due, steps.c.hold_until > moment.machine_now)
    row = tx.execute(
        select(
            func.min(steps.c.due_at).filter(planned).label("next_due_at"),
            func.count().filter(due).label("due"),
            func.count().filter(steps.c.state == StepState.IN_FLIGHT).label("in_flight"),
            func.count().filter(held).label("held"),
            func.count().filter(and_(planned, steps.c.failures > 0)).label("failing"),
        ).where(steps.c.state.in_((StepState.PLANNED, StepState.IN_FLIGHT)))
    ).mappings()
    return Backlog(**row.one())


def orphans(tx: Connection) -> int:
    """Open cases without a wake-up. Always zero: the database refuses them; counted for the doctor all the same."""
    waiting = select(steps.c.case_id).where(steps.c.state.in_((StepState.PLANNED, StepState.IN_FLIGHT)))
    query = select(func.count()).where(cases.c.state.in_(OPEN), cases.c.id.not_in(waiting)).select_from(cases)
    return int(tx.execute(query).scalar_one())
