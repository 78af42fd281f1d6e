"""A projected schedule on a terminal or as JSON. Without it a plan would be a list of instants that nobody can picture."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.text import Text

from recovery.cases.project import Projected, Projection
from recovery.runtime.cli.output import cells, console, grid
from recovery.sentences import points_of

_TRY, _READ, _FAILED, _ASKED = "●", "○", "✗", "✉"


def plan_values(plan: Projection, zone: str) -> dict[str, Any]:
    """A plan, for JSON. Instants are UTC, local ones in the zone that decided."""
    return {
        "zone": zone,
        "opening": plan.opening,
        "steps": [_step_values(step, zone) for step in plan.steps],
        "ends_at": plan.ends_at.isoformat(),
        "state": plan.state.value,
        "rule": plan.rule.value if plan.rule else None,
        "ending": plan.ending,
    }


def _step_values(step: Projected, zone: str) -> dict[str, Any]:
    local = step.at.astimezone(ZoneInfo(step.zone or zone))
    return {
        "at": step.at.isoformat(),
        "local": local.isoformat(),
        "zone": step.zone or zone,
        "step": step.kind.value,
        "attempt": step.number,
        "because": step.planned_because,
    }


def say_plan(plan: Projection, zone: str, title: str) -> None:
    """Print a plan: the steps with their reasons, and a small calendar."""
    out = console()
    table = grid(title, ">try", f"when ({zone})", "what", "why then")
    for step in plan.steps:
        local = step.at.astimezone(ZoneInfo(step.zone or zone))
        what = "try the card" if step.number is not None else step.what
        table.add_row(*cells(step.number or "", f"{local:%a %d %b %Y %H:%M}", what, points(step.planned_because)))
    ends = plan.ends_at.astimezone(ZoneInfo(zone))
    rule = f" (rule {plan.rule.value})" if plan.rule else ""
    table.add_row(*cells("", f"{ends:%a %d %b %Y %H:%M}", f"then {plan.state.value}{rule}", points(plan.ending)))
    out.print(table)
    out.print(Text(calendar_of(plan, zone)))


def points(reason: str) -> str:
    """A reason as a list: one point a line."""
    return "\n".join(f"· {part}" for part in points_of(reason))


def calendar_of(plan: Projection, zone: str) -> str:
    """The weeks of a plan as a picture: ✗ failed, ● a try, ○ a reading of the card, ✉ the customer is asked."""
    local = ZoneInfo(zone)
    marks: dict[date, str] = {}
    for step in plan.steps:
        day = step.at.astimezone(local).date()
        marks[day] = marks.get(day, "") + (_TRY if step.number is not None else _READ)
    failed = plan.case.failed_at.astimezone(local).date()
    marks[failed] = _FAILED + marks.get(failed, "")
    ended = plan.ends_at.astimezone(local).date()
    if plan.rule is not None:
        marks[ended] = marks.get(ended, "") + _ASKED
    day = failed - timedelta(days=failed.weekday())
    lines = ["          Mon    Tue    Wed    Thu    Fri    Sat    Sun"]
    while day <= ended:
        week = (day + timedelta(days=number) for number in range(7))
        lines.append(f"{day:%d %b}  " + "".join(f"{each.day:>4} {marks.get(each, ''):<2}" for each in week).rstrip())
        day += timedelta(days=7)
    lines.append(f"{_FAILED} failed  {_TRY} try  {_READ} card read again  {_ASKED} the customer is asked")
    return "\n".join(lines)
