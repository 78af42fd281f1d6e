"""What the report's page is made of. Without it the page and the file of `--format html` would show different things."""

from typing import Any

from recovery.reporting.chart import chart, uncharted
from recovery.reporting.heat import heat_maps
from recovery.reporting.period import first_and_last_day, narrowed_to
from recovery.reporting.report import Report, View
from recovery.reporting.views import CUTS

HEADLINE_FIGURES = (
    "at_risk_minor",
    "recovered_minor",
    "credited_minor",
    "net_minor",
    "rate_by_value",
    "rate_by_count",
)
"""What stands at the head of the page, of each currency."""


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
        "narrowed": narrowed_to(found.span),
        **_headlines(found),
        "explained": _explained(found),
        "chart": chart(found) if found.days else "",
        "uncharted": uncharted(found),
        "heat": heat_maps(hours) if hours is not None else [],
        "cuts": {view.value: cut.value for view, cut in CUTS.items()},
    }


def _explained(found: Report) -> list[str]:
    """The tables whose definitions stand open: of several with the same figures the first."""
    shown = [table for table in reversed(found.tables) if table.rows]
    return list({table.columns: table.name for table in shown}.values())


def _headlines(found: Report) -> dict[str, Any]:
    """Of each currency the last row of the cohorts: its total, or its only one."""
    cohorts = next((table for table in found.tables if table.name == View.COHORT), None)
    if cohorts is None:
        return {"headlines": []}
    columns = {column.name: column for column in cohorts.columns}
    return {
        "headlines": list({row.currency: row for row in cohorts.rows}.values()),
        "headline_columns": [columns[name] for name in HEADLINE_FIGURES],
        "cohorts": cohorts,
    }
