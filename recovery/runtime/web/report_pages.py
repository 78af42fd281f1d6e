"""The report as a page and as files. Without it finance would have to ask somebody with a terminal."""

from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from recovery.reporting.export import as_csv, as_json
from recovery.reporting.period import NARROWING, first_and_last_day, narrowed_to
from recovery.reporting.rates import RatesInvalid
from recovery.reporting.report import Report, View, report
from recovery.reporting.views import HEADLINES, TITLES
from recovery.reporting.workbook import as_xlsx
from recovery.runtime.clock import clock_from
from recovery.runtime.web.asking import period_asked, span_asked, views_asked
from recovery.runtime.web.render import rendered
from recovery.runtime.web.report_view import report_values
from recovery.runtime.wiring import Wiring

PAGE_VIEWS = (*HEADLINES, View.REASON, View.ATTEMPT, View.HOURS)
"""What the page shows unasked; every other cut is one click away."""

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ReportPages:
    """The report's endpoints: the same figures in four forms."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._clock = clock_from(wiring.settings.clock_file)

    def page(self, request: Request) -> Response:
        """The report for reading and printing: the period asked for, else this month."""
        asked = period_asked(request, zone=self._wiring.settings.report_zone, now=self._clock.now())
        chosen = views_asked(request, otherwise=())
        found = self._report(asked, chosen or PAGE_VIEWS, with_days=not chosen)
        kept = {name: value for name, value in asked.items() if value}
        values = {
            "asked": asked,
            "query": urlencode(kept),
            "whole": urlencode({name: value for name, value in kept.items() if name not in NARROWING}),
            "views": [(view.value, TITLES[view][0], view in chosen) for view in View if view not in HEADLINES],
            "chosen": [view.value for view in chosen],
        }
        return rendered("report.html", report_values(found) | values)

    def csv(self, request: Request) -> Response:
        """The report for a spreadsheet."""
        found = self._exported(request)
        return Response(as_csv(found), media_type="text/csv; charset=utf-8", headers=_file(found, "csv"))

    def xlsx(self, request: Request) -> Response:
        """The report as a workbook."""
        found = self._exported(request)
        return Response(as_xlsx(found), media_type=XLSX, headers=_file(found, "xlsx"))

    def json(self, request: Request) -> Response:
        """The report for a program."""
        return Response(as_json(self._exported(request)), media_type="application/json")

    def _exported(self, request: Request) -> Report:
        asked = period_asked(request, zone=self._wiring.settings.report_zone, now=self._clock.now())
        return self._report(asked, views_asked(request, otherwise=tuple(View)), with_days=False)

    def _report(self, asked: dict[str, str], views: tuple[View, ...], *, with_days: bool) -> Report:
        now = self._clock.now()
        span = span_asked(asked, zone=self._wiring.settings.report_zone, now=now)
        try:
            rates = self._wiring.rates
        except RatesInvalid as error:
            raise HTTPException(500, detail=str(error)) from error
        return report(
            self._wiring.database,
            span,
            made_at=now,
            views=views,
            with_days=with_days,
            rates=rates,
            networks=self._wiring.rulebook.networks,
        )


def _file(found: Report, ending: str) -> dict[str, str]:
    """Its name tells the period, and a narrowed report from the whole: a CSV has no place of its own to say so."""
    first, last = first_and_last_day(found.span)
    part = "-narrowed" if narrowed_to(found.span) else ""
    return {"Content-Disposition": f'attachment; filename="recovered-revenue-{first}-{last}{part}.{ending}"'}
