"""What lies behind a figure of the report, a list for each kind of thing. Without them finance could read a sum and not check it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from recovery.reporting.penalties import Penalty, attempts_behind, penalties
from recovery.runtime.clock import clock_from
from recovery.runtime.web.asking import period_asked, span_asked
from recovery.runtime.web.drill import KINDS
from recovery.runtime.web.render import rendered
from recovery.runtime.wiring import Wiring
from recovery.storage.churn_queries import Which, churn_lines
from recovery.storage.drill_queries import cash_entries, cohort_cases
from recovery.storage.past_queries import Billed, invoice_lines
from recovery.storage.report_queries import prepare
from recovery.storage.report_sums import Span

LINES = 100
"""Lines on one page."""

Choice = TypeVar("Choice", bound=StrEnum)


class BehindPages:
    """Cases, bookings, subscriptions, invoices and attempts behind the figures, a page of LINES at a time."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._clock = clock_from(wiring.settings.clock_file)

    def cases(self, request: Request) -> Response:
        """The cases behind a figure of the cohorts."""
        asked, span, place = self._asked(request)
        with self._wiring.database.begin() as tx:
            prepare(tx)
            lines = cohort_cases(tx, span, **place)
        return _listed("cases", "Cases behind the figure", lines, asked, request)

    def entries(self, request: Request) -> Response:
        """The ledger entries behind a figure by cash date."""
        asked, span, place = self._asked(request)
        figure, late = request.query_params.get("figure", ""), request.query_params.get("late") == "1"
        if figure not in KINDS:
            raise HTTPException(400, detail=f"there is no figure {figure[:40]!r} by cash date")
        month = asked["month"] if late else None
        with self._wiring.database.begin() as tx:
            prepare(tx)
            lines = cash_entries(tx, span, figure, KINDS[figure], late_for=month, **place)
        asked |= {"figure": figure} | ({"late": "1"} if late else {})
        return _listed("entries", "Bookings behind the figure", lines, asked, request)

    def subscriptions(self, request: Request) -> Response:
        """The subscriptions behind a figure of churn."""
        asked, span, place = self._asked(request)
        which = _chosen(request, Which)
        with self._wiring.database.begin() as tx:
            prepare(tx)
            lines = churn_lines(tx, span, which, contract=asked["contract"], currency=asked["currency"], **place)
        return _listed("subscriptions", "Subscriptions behind the figure", lines, asked | {"which": which}, request)

    def invoices(self, request: Request) -> Response:
        """The invoices behind a figure of renewals."""
        asked, span, place = self._asked(request)
        which = _chosen(request, Billed)
        with self._wiring.database.begin() as tx:
            lines = invoice_lines(tx, span, which, currency=asked["currency"], **place)
        return _listed("invoices", "Invoices behind the figure", lines, asked | {"which": which}, request)

    def attempts(self, request: Request) -> Response:
        """The attempts behind an estimated penalty; ``currency`` is that of the fee."""
        asked, span, place = self._asked(request)
        row = request.query_params.get("penalty", "")[:100]
        with self._wiring.database.begin() as tx:
            prepare(tx)
            found = [one for one in self._penalties(tx, span) if row in ("", one.key)]
            found = [one for one in found if asked["currency"] in ("", one.fee.currency)]
            lines = attempts_behind(tx, span, found, **place)
        return _listed("attempts", "Attempts behind the figure", lines, asked | {"penalty": row}, request)

    def _asked(self, request: Request) -> tuple[dict[str, str], Span, dict[str, int]]:
        """What the address bar asks for, the span that it means, and the place of the page in the list."""
        zone, now = self._wiring.settings.report_zone, self._clock.now()
        asked = period_asked(request, zone=zone, now=now)
        return asked, span_asked(asked, zone=zone, now=now), {"limit": LINES + 1, "offset": _page(request) * LINES}

    def _penalties(self, tx: Connection, span: Span) -> list[Penalty]:
        return penalties(tx, span, self._wiring.rulebook.networks)


def _listed(name: str, title: str, lines: Sequence[object], asked: dict[str, str], request: Request) -> Response:
    """The page ``report_<name>.html`` with as many lines as it holds, and where it goes on."""
    kept, page = {key: value for key, value in asked.items() if value}, _page(request)
    around = {
        "title": title,
        "lines": lines[:LINES],
        "query": urlencode(kept),
        "narrowed": {key: value for key, value in kept.items() if key != "zone"},
        "address": f"/report/{name}",
        "following": urlencode(kept | {"page": str(page + 1)}) if len(lines) > LINES else "",
        "previous": urlencode(kept | {"page": str(page - 1)}) if page else "",
    }
    return rendered(f"report_{name}.html", around)


def _chosen(request: Request, choices: type[Choice]) -> Choice:
    try:
        return choices(request.query_params.get("which", ""))
    except ValueError as error:
        raise HTTPException(400, detail=f"which is one of {', '.join(choices)}") from error


def _page(request: Request) -> int:
    typed = request.query_params.get("page", "0")
    if not typed.isascii() or not typed.isdigit() or len(typed) > 6:
        raise HTTPException(400, detail="a page is a number")
    return int(typed)
