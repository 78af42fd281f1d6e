"""Which pages there are. Without the list in one place a new page could forget the guard."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from recovery.runtime.settings import Pages
from recovery.runtime.web.access import Access
from recovery.runtime.web.case_pages import CasePages
from recovery.runtime.web.openapi import openapi_page
from recovery.runtime.web.render import FOLDER
from recovery.runtime.web.report_pages import ReportPages
from recovery.runtime.wiring import Wiring


def page_routes(wiring: Wiring, access: Access) -> list[BaseRoute]:
    """The pages, all behind the rule of the settings; none where there are none."""
    if access.pages is Pages.OFF:
        return []
    reports, cases = ReportPages(wiring), CasePages(wiring)
    guarded = access.guarding
    return [
        Route("/", guarded(_to_report)),
        Route("/report", guarded(reports.page)),
        Route("/report.csv", guarded(reports.csv)),
        Route("/report.xlsx", guarded(reports.xlsx)),
        Route("/report.json", guarded(reports.json)),
        Route("/report/cases", guarded(reports.cases)),
        Route("/report/entries", guarded(reports.entries)),
        Route("/openapi.json", guarded(openapi_page)),
        Route("/cases", guarded(cases.many)),
        Route("/cases/{case_id}", guarded(cases.one)),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),  # a style sheet and an icon: no secret
    ]


def _to_report(_request: Request) -> Response:
    return RedirectResponse("/report")
