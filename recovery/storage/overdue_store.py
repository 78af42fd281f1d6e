"""Steps that have been due for hours. Without it an order that is put off again and again, a little each time, would never be seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, func, select
from sqlalchemy.sql import ColumnElement

from recovery.cases.lifecycle import StepState
from recovery.storage.moment import Moment
from recovery.storage.tables import steps

OVERDUE_AFTER: Final = timedelta(hours=2)
"""What waits on purpose has a later due time. An outage of the gateway is waited for by half minutes, and seldom lasts so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """One step that is due since ``due_at`` (business time) and still planned; ``detail`` is why it was put off last."""

    case_id: str
    kind: str
    due_at: datetime
    detail: str


def overdue_steps(tx: Connection, *, moment: Moment, limit: int) -> Sequence[Overdue]:
    """The longest overdue, oldest first."""
    rows = tx.execute(
        select(steps.c.case_id, steps.c.kind, steps.c.due_at, steps.c.error)
        .where(_overdue(moment))
        .order_by(steps.c.due_at, steps.c.id)
        .limit(limit)
    )
    return [
        Overdue(case_id=row.case_id, kind=row.kind, due_at=row.due_at, detail=row.error or "nobody took it up")
        for row in rows
    ]


def overdue_count(tx: Connection, *, moment: Moment) -> int:
    """How many there are; those set aside are counted as such."""
    return int(tx.execute(select(func.count()).select_from(steps).where(_overdue(moment))).scalar_one())


def _overdue(moment: Moment) -> ColumnElement[bool]:
    return and_(
        steps.c.state == StepState.PLANNED,
        steps.c.due_at <= moment.now - OVERDUE_AFTER,
        steps.c.set_aside_at.is_(None),
    )
