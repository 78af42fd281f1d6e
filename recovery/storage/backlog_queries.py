"""How much waits, and for how long. Without it nobody would know whether the engine keeps up, nor when it has work again."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Executable, and_, exists, func, or_, select

from recovery.cases.lifecycle import OPEN
from recovery.storage.columns import word
from recovery.storage.moment import Moment
from recovery.storage.step_store import IN_FLIGHT, MACHINE_NOW, NOW, PLANNED, both_clocks
from recovery.storage.tables import cases, events, steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What the steps table holds: next due business instant, what is in flight, what is due now, what is held back."""

    next_due_at: datetime | None
    due: int
    in_flight: int
    held: int
    failing: int
    set_aside: int


def backlog(tx: Connection, *, moment: Moment) -> Backlog:
    """Count the open steps."""
    return Backlog(**tx.execute(_counts(), both_clocks(moment)).mappings().one())


@cache
def _counts() -> Executable:
    set_aside = steps.c.set_aside_at.is_not(None)
    planned = and_(steps.c.state == PLANNED, ~set_aside)
    due = and_(planned, steps.c.due_at <= NOW)
    held = and_(due, steps.c.hold_until > MACHINE_NOW)
    return select(
        func.min(steps.c.due_at).filter(planned).label("next_due_at"),
        func.count().filter(due).label("due"),
        func.count().filter(steps.c.state == IN_FLIGHT, ~set_aside).label("in_flight"),
        func.count().filter(held).label("held"),
        func.count().filter(and_(planned, steps.c.failures > 0)).label("failing"),
        func.count().filter(set_aside).label("set_aside"),
    ).where(steps.c.state.in_((PLANNED, IN_FLIGHT)))


def busy_until(tx: Connection, *, now: datetime) -> tuple[bool, datetime | None]:
    """Whether a step is due or in flight or an event waits, and when the next step is due: cheap enough to be asked all the time."""
    busy, next_due_at = tx.execute(_BUSY_NOW, {"now": now}).one()
    return bool(busy), next_due_at


_NOT_ASIDE = steps.c.set_aside_at.is_(None)
_BUSY_NOW = select(
    or_(
        exists().where(events.c.state == word("waiting")),
        exists().where(steps.c.state == IN_FLIGHT, _NOT_ASIDE),
        exists().where(steps.c.state == PLANNED, steps.c.due_at <= NOW, _NOT_ASIDE),
    ),
    select(func.min(steps.c.due_at)).where(steps.c.state == PLANNED, _NOT_ASIDE).scalar_subquery(),
)


def orphans(tx: Connection) -> int:
    """Open cases without a wake-up. Always zero: the database refuses them; counted for the doctor all the same."""
    waiting = select(steps.c.case_id).where(steps.c.state.in_((PLANNED, IN_FLIGHT)))
    query = select(func.count()).where(cases.c.state.in_(OPEN), cases.c.id.not_in(waiting)).select_from(cases)
    return int(tx.execute(query).scalar_one())
