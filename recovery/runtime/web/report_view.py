"""What the report's page is made of. Without it the page and the file of `--format html` would show different things."""

from typing import Any

from recovery.reporting.chart import chart
from recovery.reporting.heat import heat_maps
from recovery.reporting.period import first_and_last_day
from recovery.reporting.report import Report, View
from recovery.reporting.table import Row
from recovery.reporting.views import CUTS


def report_values(found: Report) -> dict[str, Any]:
    """The values of the template ``report.html``, but for those of its address."""
    first, last = first_and_last_day(found.span)
    hours = next((table for table in found.tables if table.name == View.HOURS), None)
    return {
        "title": "Recovered revenue",
        "report": found,
        "tables": [table for table in found.tables if table.name != View.RESTATED or table.rows],
        "first": first,
        "last": last,
        "headlines": _headlines(found),
        "chart": chart(found) if found.days else "",
        "heat": heat_maps(hours) if hours is not None else [],
        "cuts": {view.value: cut.value for view, cut in CUTS.items()},
    }


def _headlines(found: Report) -> list[Row]:
    """Of each currency the last row of the cohorts: its total, or its only one."""
    cohorts = next((table for table in found.tables if table.name == View.COHORT), None)
    return list({row.currency: row for row in cohorts.rows}.values()) if cohorts is not None else []
