"""What a case stands on, on a terminal or as JSON. Without it `why` would tell the past and not what still holds."""

from typing import Any

from rich.text import Text

from recovery.runtime.cli.output import cells, console, grid
from recovery.runtime.cli.plan_view import plan_values, say_plan
from recovery.runtime.standing import CaseStanding


def standing_values(standing: CaseStanding) -> dict[str, Any]:
    """For JSON."""
    return {
        "policy": standing.policy,
        "segment": standing.segment,
        "zone": standing.zone,
        "zone_is_own": standing.zone_is_own,
        "edition": standing.edition,
        "source": standing.source,
        "budgets": [{"used": b.used, "tries_max": b.tries_max, "span": b.span} for b in standing.budgets],
        "to_come": plan_values(standing.to_come, standing.zone) if standing.to_come else None,
    }


def say_standing(standing: CaseStanding) -> None:
    """Print what holds now, and what is still to come."""
    whose = "the customer's own" if standing.zone_is_own else "the issuer's"
    table = grid("What holds now", "", "")
    table.show_header = False
    for name, value in (
        ("policy", f"{standing.policy}{f', segment {standing.segment}' if standing.segment else ''}"),
        ("network rules", f"{standing.edition} ({standing.source})"),
        ("card's budget", "; ".join(budget.brief() for budget in standing.budgets)),
        ("local time", f"{standing.zone} ({whose})"),
    ):
        table.add_row(*cells(name, value))
    out = console()
    out.print(table)
    if standing.to_come is None:
        out.print(Text("No silent try is to come."))
    else:
        say_plan(standing.to_come, standing.zone, "Still to come, if every try fails as the last one did")
