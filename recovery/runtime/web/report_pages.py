"""The report as a page and as files. Without it finance would have to ask somebody with a terminal."""

from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from recovery.reporting.chart import chart
from recovery.reporting.export import as_csv, as_json
from recovery.reporting.period import Asked, PeriodInvalid, first_and_last_day, span_of
from recovery.reporting.report import Report, View, report
from recovery.reporting.table import Row
from recovery.runtime.clock import clock_from
from recovery.runtime.web.render import rendered
from recovery.runtime.wiring import Wiring

FILTERS = ("month", "from", "to", "zone")
"""What the address bar may say; a link with them shows the same period to everybody."""


class ReportPages:
    """The report's endpoints: the same figures in three forms."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._clock = clock_from(wiring.settings.clock_file)

    def page(self, request: Request) -> Response:
        """The report for reading and printing."""
        found = self._report(request)
        first, last = first_and_last_day(found.span)
        asked = {name: request.query_params.get(name, "") for name in FILTERS}
        values = {
            "title": "Recovered revenue",
            "report": found,
            "first": first,
            "last": last,
            "headlines": _headlines(found),
            "chart": chart(found) if found.days else "",
            "asked": asked,
            "query": urlencode({name: value for name, value in asked.items() if value}),
        }
        return rendered("report.html", values)

    def csv(self, request: Request) -> Response:
        """The report for a spreadsheet."""
        found = self._report(request, with_days=False)
        return Response(as_csv(found), media_type="text/csv; charset=utf-8", headers=_file(found, "csv"))

    def json(self, request: Request) -> Response:
        """The report for a program."""
        return Response(as_json(self._report(request, with_days=False)), media_type="application/json")

    def _report(self, request: Request, *, with_days: bool = True) -> Report:
        given = request.query_params
        asked = Asked(
            month=given.get("month") or None,
            first=given.get("from") or None,
            last=given.get("to") or None,
            zone=given.get("zone") or "UTC",
        )
        now = self._clock.now()
        try:
            span = span_of(asked, now=now)
        except PeriodInvalid as error:
            raise HTTPException(400, detail=str(error)) from error
        return report(self._wiring.database, span, made_at=now, with_days=with_days)


def _headlines(found: Report) -> list[Row]:
    """Of each currency the last row of the cohorts: its total, or its only one."""
    cohorts = next(table for table in found.tables if table.name == View.COHORT)
    return list({row.currency: row for row in cohorts.rows}.values())


def _file(found: Report, ending: str) -> dict[str, str]:
    first, last = first_and_last_day(found.span)
    return {"Content-Disposition": f'attachment; filename="recovered-revenue-{first}-{last}.{ending}"'}
