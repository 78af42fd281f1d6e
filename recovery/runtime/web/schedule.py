"""The schedule still to come, on a case's page. Without it a reader would see the next step only, never where it leads."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from recovery.cases.case import Case
from recovery.runtime.standing import CaseStanding, standing_of
from recovery.runtime.wiring import Wiring
from recovery.sentences import points_of

_SIGNS = {True: "●", False: "○"}
_THEN = "✉"
"""What a day is marked with where there is no room for words."""


def schedule_of(wiring: Wiring, case: Case) -> dict[str, object]:
    """The values that the template ``_schedule.html`` needs."""
    door = wiring.door
    with door.database.connect() as tx:
        standing = standing_of(tx, door.rulebook, case, now=door.clock())
    return {"standing": standing, "weeks": _weeks(standing), "rows": _rows(standing)}


def _rows(standing: CaseStanding) -> list[dict[str, object]]:
    if standing.to_come is None:
        return []
    return [
        {
            "local": f"{step.at.astimezone(ZoneInfo(standing.zone)):%a %d %b %Y %H:%M}",
            "what": step.what,
            "points": points_of(step.planned_because),
        }
        for step in standing.to_come.steps
    ]


def _weeks(standing: CaseStanding) -> list[list[dict[str, object]]]:
    """Calendar weeks from today's to the last step's; each day with what happens on it."""
    plan = standing.to_come
    if plan is None or not plan.steps:
        return []
    marks: dict[date, list[tuple[str, str]]] = {}
    for step in plan.steps:
        marks.setdefault(_day(standing, step.at), []).append((_SIGNS[step.number is not None], step.what))
    last = _day(standing, plan.ends_at)
    marks.setdefault(last, []).append((_THEN, f"then {plan.state.value}"))
    day = min(marks)
    day -= timedelta(days=day.weekday())
    weeks: list[list[dict[str, object]]] = []
    while day <= last:
        days = [day + timedelta(days=number) for number in range(7)]
        weeks.append([{"day": f"{each:%d %b}", "marks": marks.get(each, [])} for each in days])
        day += timedelta(days=7)
    return weeks


def _day(standing: CaseStanding, at: datetime) -> date:
    return at.astimezone(ZoneInfo(standing.zone)).date()
