"""Open cases and what is planned for them, in pages. Without it a comparison of rules would load a million cases at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from recovery.cases.case import Case
from recovery.cases.lifecycle import OPEN, StepKind, StepState
from recovery.cases.rules import CardUse
from recovery.storage.card_store import card_use
from recovery.storage.case_store import load_case
from recovery.storage.tables import cases, steps

_PAGE = 500
"""Cases held in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTry:
    """A case with a try planned, and what counts against its card."""

    case: Case
    due_at: datetime
    usage: CardUse


def planned_tries(tx: Connection, *, now: datetime) -> Iterator[PlannedTry]:
    """Every open case with a planned try, by id."""
    last = ""
    while True:
        page = tx.execute(
            select(cases.c.id, steps.c.due_at)
            .join(steps, steps.c.case_id == cases.c.id)
            .where(
                cases.c.id > last,
                cases.c.state.in_(OPEN),
                steps.c.kind == StepKind.CHARGE_CARD,
                steps.c.state == StepState.PLANNED,
            )
            .order_by(cases.c.id)
            .limit(_PAGE)
        ).all()
        if not page:
            return
        for case_id, due_at in page:
            case = load_case(tx, case_id)
            key = case.card.budget_key if case.card else None
            yield PlannedTry(case=case, due_at=due_at, usage=card_use(tx, key, now=now))
        last = page[-1][0]


def open_cases_of_policies(tx: Connection, *, but: str) -> list[tuple[str, str]]:
    """Open cases that are pinned on another version than this one, with theirs; oldest failure first."""
    query = (
        select(cases.c.id, cases.c.policy)
        .where(cases.c.state.in_(OPEN), cases.c.policy != but)
        .order_by(cases.c.failed_at, cases.c.id)
    )
    return [(row[0], row[1]) for row in tx.execute(query)]
