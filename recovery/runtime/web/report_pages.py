"""The report as a page and as files. Without it finance would have to ask somebody with a terminal."""

from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from recovery.reporting.export import as_csv, as_json
from recovery.reporting.period import first_and_last_day
from recovery.reporting.rates import RatesInvalid
from recovery.reporting.report import Report, View, report
from recovery.reporting.views import HEADLINES, TITLES
from recovery.reporting.workbook import as_xlsx
from recovery.runtime.clock import clock_from
from recovery.runtime.web.asking import asked_of, narrowed_by, span_asked, views_asked
from recovery.runtime.web.drill import KINDS
from recovery.runtime.web.render import rendered
from recovery.runtime.web.report_view import report_values
from recovery.runtime.wiring import Wiring
from recovery.storage.churn_queries import Which, churn_lines
from recovery.storage.drill_queries import cash_entries, cohort_cases

PAGE_VIEWS = (*HEADLINES, View.REASON, View.ATTEMPT, View.HOURS)
"""What the page shows unasked; every other cut is one click away."""

LINES = 100
"""Lines on one page of what lies behind a figure."""

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ReportPages:
    """The report's endpoints: the same figures in four forms, and what lies behind them."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._clock = clock_from(wiring.settings.clock_file)

    def page(self, request: Request) -> Response:
        """The report for reading and printing: the period asked for, else this month."""
        asked = self._asked(request)
        chosen = views_asked(request, otherwise=())
        found = self._report(asked, chosen or PAGE_VIEWS, with_days=not chosen)
        kept = {name: value for name, value in asked.items() if value}
        values = {
            "asked": asked,
            "narrowed": narrowed_by(asked),
            "query": urlencode(kept),
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

    def cases(self, request: Request) -> Response:
        """The cases behind a figure of the cohorts."""
        asked, page = self._asked(request), _page(request)
        span = span_asked(asked, zone=self._wiring.settings.report_zone, now=self._clock.now())
        with self._wiring.database.connect() as tx:
            lines = cohort_cases(tx, span, limit=LINES + 1, offset=page * LINES)
        values = {"title": "Cases behind the figure", "lines": lines[:LINES], **self._around(asked, page, len(lines))}
        return rendered("report_cases.html", values)

    def entries(self, request: Request) -> Response:
        """The ledger entries behind a figure by cash date."""
        asked, page = self._asked(request), _page(request)
        figure, late = request.query_params.get("figure", ""), request.query_params.get("late") == "1"
        if figure not in KINDS:
            raise HTTPException(400, detail=f"there is no figure {figure[:40]!r} by cash date")
        span = span_asked(asked, zone=self._wiring.settings.report_zone, now=self._clock.now())
        currency = asked["currency"] or None
        with self._wiring.database.connect() as tx:
            found = cash_entries(
                tx,
                span,
                KINDS[figure],
                currency=currency,
                limit=LINES + 1,
                offset=page * LINES,
                late_for=asked["month"] if late else None,
            )
        around = self._around(asked | {"figure": figure} | ({"late": "1"} if late else {}), page, len(found))
        return rendered(
            "report_entries.html", {"title": "Bookings behind the figure", "lines": found[:LINES], **around}
        )

    def subscriptions(self, request: Request) -> Response:
        """The subscriptions behind a figure of churn."""
        asked, page = self._asked(request), _page(request)
        try:
            which = Which(request.query_params.get("which", ""))
        except ValueError as error:
            raise HTTPException(400, detail=f"which is one of {', '.join(Which)}") from error
        span = span_asked(asked, zone=self._wiring.settings.report_zone, now=self._clock.now())
        with self._wiring.database.connect() as tx:
            found = churn_lines(
                tx,
                span,
                which,
                contract=asked["contract"],
                currency=asked["currency"],
                limit=LINES + 1,
                offset=page * LINES,
            )
        around = self._around(asked | {"which": which.value}, page, len(found))
        title = "Subscriptions behind the figure"
        return rendered("report_subscriptions.html", {"title": title, "lines": found[:LINES], **around})

    def _asked(self, request: Request) -> dict[str, str]:
        asked = asked_of(request)
        if not (asked["month"] or asked["from"] or asked["to"]):
            year = span_asked(asked, zone=self._wiring.settings.report_zone, now=self._clock.now())
            asked["month"] = f"{first_and_last_day(year)[1]:%Y-%m}"  # ours, where the report's months begin
        return asked

    def _around(self, asked: dict[str, str], page: int, found: int) -> dict[str, object]:
        kept = {name: value for name, value in asked.items() if value}
        return {
            "query": urlencode(kept),
            "narrowed": {name: value for name, value in kept.items() if name != "zone"},
            "following": urlencode(kept | {"page": str(page + 1)}) if found > LINES else "",
            "previous": urlencode(kept | {"page": str(page - 1)}) if page else "",
        }

    def _exported(self, request: Request) -> Report:
        return self._report(self._asked(request), views_asked(request, otherwise=tuple(View)), with_days=False)

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


def _page(request: Request) -> int:
    typed = request.query_params.get("page", "0")
    if not typed.isascii() or not typed.isdigit() or len(typed) > 6:
        raise HTTPException(400, detail="a page is a number")
    return int(typed)


def _file(found: Report, ending: str) -> dict[str, str]:
    first, last = first_and_last_day(found.span)
    return {"Content-Disposition": f'attachment; filename="recovered-revenue-{first}-{last}.{ending}"'}
