"""Steps as rows: due times, claims and leases. Without claims two workers would perform one order."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Connection,
    Integer,
    Row,
    RowMapping,
    Text,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from recovery.cases.case import Decision, Plan
from recovery.cases.lifecycle import OPEN_STEPS, StepKind, StepState
from recovery.storage.columns import word
from recovery.storage.moment import Moment
from recovery.storage.tables import attempts, cases, steps

PLANNED, IN_FLIGHT = word(StepState.PLANNED), word(StepState.IN_FLIGHT)

SUSPECT_AFTER = 2
"""Claims in a row that nobody ended before a step is performed alone: once may be any worker's death, twice is a pattern.

The partial index of suspects says the same number.
"""

FAIR_AMONG = 1000
"""So many of the oldest due steps take turns by customer: one customer's thousand does not make the others wait for all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedStep:
    """A step that this worker may perform until its lease ends (machine time)."""

    id: int
    case_id: str
    obligation: str
    kind: StepKind
    due_at: datetime
    lease_until: datetime
    claims: int
    failures: int
    unended: int = 0
    """How many claims in a row nobody ended, this one included: each may have been the end of its worker."""


def apply_steps(tx: Connection, decision: Decision, *, still_open: Collection[StepKind], moment: Moment) -> None:
    """Cancel and plan the steps of a decision. A kind that is in flight is noted to come again afterwards.

    ``still_open`` are the kinds that were open when the case was locked, without those that ended since: no others can be.
    """
    case_id = decision.case.id
    planned = {plan.kind for plan in decision.plan}
    gone = (decision.cancel | planned).intersection(still_open)
    if gone:
        tx.execute(_CANCEL, {"of_case": case_id, "kinds": sorted(gone)})
    busy = set(tx.execute(_BUSY, {"of_case": case_id}).scalars()) if planned.intersection(still_open) else set()
    for plan in decision.plan:
        if plan.kind in busy:
            _come_again(tx, case_id, plan, moment)
        else:
            _insert(tx, case_id, plan, moment)


_OF_CASE = steps.c.case_id == bindparam("of_case")
_BUSY = select(steps.c.kind).where(_OF_CASE, steps.c.state == IN_FLIGHT)
_CANCEL = (
    update(steps)
    .where(_OF_CASE, steps.c.kind.in_(bindparam("kinds", expanding=True)), steps.c.state == PLANNED)
    .values(state=StepState.CANCELLED, lease_until=None)
)


def _hold(plan: Plan, moment: Moment) -> datetime | None:
    return moment.machine_now + timedelta(seconds=plan.hold_seconds) if plan.hold_seconds else None


def _insert(tx: Connection, case_id: str, plan: Plan, moment: Moment) -> None:
    hold = _hold(plan, moment)
    row = {"case_id": case_id, "kind": plan.kind, "state": StepState.PLANNED, "due_at": plan.due_at, "hold_until": hold}
    tx.execute(_PLAN, row)


_PLAN = insert(steps)


def _come_again(tx: Connection, case_id: str, plan: Plan, moment: Moment) -> None:
    """Note the plan on the step in flight. Its ``hold_until``, empty since the claim, then speaks of the next time."""
    hold = _hold(plan, moment)
    tx.execute(
        update(steps)
        .where(steps.c.case_id == case_id, steps.c.kind == plan.kind, steps.c.state == IN_FLIGHT)
        .values(
            again_at=func.least(func.coalesce(steps.c.again_at, plan.due_at), plan.due_at),
            hold_until=func.greatest(steps.c.hold_until, hold),
        )
    )


def finish_steps(
    tx: Connection, step_id: int | None, *, attempt_id: str | None = None, moment: Moment
) -> dict[StepKind, Plan | None]:
    """Mark a step done, and the one under which an attempt was made; the plan that each was asked to repeat meanwhile, if any.

    A step done already stays done and is not among them.
    """
    rows = tx.execute(_DONE, {"step_id": step_id, "attempt_id": attempt_id}).all()
    return {StepKind(row.kind): _again(row, moment) for row in rows}


def _again(row: Row[Any], moment: Moment) -> Plan | None:
    if row.again_at is None:
        return None
    held: datetime | None = row.hold_until
    hold_seconds = max((held - moment.machine_now).total_seconds(), 0.0) if held else 0.0
    return Plan(kind=StepKind(row.kind), due_at=max(row.again_at, moment.now), hold_seconds=hold_seconds)


_CARRIER = select(attempts.c.step_id).where(attempts.c.id == bindparam("attempt_id", type_=Text))
_ENDED = union_all(select(bindparam("step_id", type_=BigInteger)), _CARRIER)
_DONE = (
    update(steps)
    .where(steps.c.id == func.any(func.array(_ENDED.scalar_subquery())), steps.c.state.in_(OPEN_STEPS))
    .values(state=StepState.DONE, lease_until=None)
    .returning(steps.c.kind, steps.c.again_at, steps.c.hold_until)
)

_INSTANT = steps.c.due_at.type
NOW, MACHINE_NOW = bindparam("now", type_=_INSTANT), bindparam("machine_now", type_=_INSTANT)

# What makes a step claimable now: planned, due, not held back and not set aside.
_READY = and_(
    steps.c.state == PLANNED,
    steps.c.due_at <= NOW,
    or_(steps.c.hold_until.is_(None), steps.c.hold_until <= MACHINE_NOW),
    steps.c.set_aside_at.is_(None),
)


def both_clocks(moment: Moment) -> dict[str, Any]:
    """The values of ``NOW`` and ``MACHINE_NOW``."""
    return {"now": moment.now, "machine_now": moment.machine_now}


def claim_steps(
    tx: Connection,
    kinds: Collection[StepKind],
    *,
    moment: Moment,
    limit: int,
    lease_seconds: float,
    suspects: bool = False,
) -> list[ClaimedStep]:
    """Take due steps of some kinds that nobody else has, for the length of a lease: the oldest, but tries by what is at stake.

    Of the ``FAIR_AMONG`` oldest tries the greatest amounts come first, so that a rate limit holds back the small ones. Amounts are
    compared in minor units, whatever the currency: an order of performing needs no exchange rate.

    The claim is counted before anything is performed. ``suspects`` are those that were begun twice and never ended: they are claimed
    apart, so that what kills a worker takes no innocent step with it.
    """
    lease_until = moment.machine_now + timedelta(seconds=lease_seconds)
    given = {"lease_until": lease_until, "most": limit, "among": max(FAIR_AMONG, limit), "kinds": list(kinds)}
    rows = tx.execute(_claim(suspects), given | both_clocks(moment)).mappings().all()
    return [claimed_from(row) for row in sorted(rows, key=lambda row: (-row["stake"], row["due_at"], row["id"]))]


@cache  # putting this together takes longer than the database needs for it
def _claim(suspects: bool) -> ReturningUpdate[Any]:
    due = _in_turns(suspects=suspects)
    taken = update(steps).where(steps.c.id == due.c.id)
    return taken.values(
        state=StepState.IN_FLIGHT,
        lease_until=bindparam("lease_until", type_=_INSTANT),
        claims=steps.c.claims + 1,
        unended=steps.c.unended + 1,
        hold_until=None,
    ).returning(*CLAIMED, due.c.obligation, due.c.stake)


def _in_turns(*, suspects: bool) -> CTE:
    """The ids of claimable steps, one of each customer before the second of any; locked, or passed over if others do."""
    least_suspect = (steps.c.unended,) if suspects else ()  # a bystander of the deaths is let go before their cause
    oldest = (
        select(steps.c.id, steps.c.kind, steps.c.due_at, steps.c.unended, steps.c.case_id)
        .where(
            _READY,
            steps.c.kind.in_(bindparam("kinds", expanding=True)),
            steps.c.unended >= SUSPECT_AFTER if suspects else steps.c.unended < SUSPECT_AFTER,
        )
        .order_by(*least_suspect, steps.c.due_at, steps.c.id)
        .limit(bindparam("among", type_=Integer))
        .subquery()
    )
    place = func.row_number().over(partition_by=cases.c.customer, order_by=(oldest.c.due_at, oldest.c.id))
    stake = case((oldest.c.kind == word(StepKind.CHARGE_CARD), cases.c.amount_minor), else_=0).label("stake")
    turns = (
        select(oldest, cases.c.obligation, stake, place.label("turn"))
        .join(cases, cases.c.id == oldest.c.case_id)
        .subquery()
    )
    order = (*((turns.c.unended,) if suspects else ()), turns.c.turn, turns.c.stake.desc(), turns.c.due_at, turns.c.id)
    return (
        select(steps.c.id, turns.c.obligation, turns.c.stake)
        .join(turns, turns.c.id == steps.c.id)
        .where(steps.c.state == PLANNED, steps.c.set_aside_at.is_(None))
        .order_by(*order)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(of=steps, skip_locked=True)
        .cte("due")  # evaluated once: as a plain subquery the limit could be passed over
    )


CLAIMED = tuple(steps.c[name] for name in ClaimedStep.__dataclass_fields__ if name in steps.c)
"""What of a claim stands in the row of its step."""


def claimed_from(row: RowMapping) -> ClaimedStep:
    """The claim that a row of the table holds."""
    return ClaimedStep(kind=StepKind(row["kind"]), **{name: row[name] for name in row if name not in ("kind", "stake")})


def due_kinds(tx: Connection, *, moment: Moment) -> tuple[frozenset[StepKind], frozenset[StepKind]]:
    """The kinds of which at least one step could be claimed now, and of which one suspect: one question, not two claims a kind."""
    found = tx.execute(_DUE_KINDS, both_clocks(moment)).all()
    return (
        frozenset(StepKind(kind) for kind, suspected in found if not suspected),
        frozenset(StepKind(kind) for kind, suspected in found if suspected),
    )


_DUE_KINDS = select(steps.c.kind, steps.c.unended >= SUSPECT_AFTER).distinct().where(_READY)
