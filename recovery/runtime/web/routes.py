"""Which pages there are. Without the list in one place a new page could forget the guard."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from recovery.runtime.settings import Pages
from recovery.runtime.web.access import Access, Page
from recovery.runtime.web.behind_pages import BehindPages
from recovery.runtime.web.case_pages import CasePages
from recovery.runtime.web.login_pages import LoginPages
from recovery.runtime.web.openapi import openapi_page
from recovery.runtime.web.render import FOLDER
from recovery.runtime.web.report_pages import ReportPages
from recovery.runtime.web.roles import MONEY, sees_money
from recovery.runtime.wiring import Wiring


def page_routes(wiring: Wiring, access: Access) -> list[BaseRoute]:
    """The pages, all behind the rule of the settings; none where there are none."""
    if access.pages is Pages.OFF:
        return []
    reports, behind, cases = ReportPages(wiring), BehindPages(wiring), CasePages(wiring)

    def money(page: Page) -> Page:
        return access.guarding(page, roles=MONEY)

    return [
        *_login(wiring, access),
        Route("/", access.guarding(_home(access))),
        Route("/report", money(reports.page)),
        Route("/report.csv", money(reports.csv)),
        Route("/report.xlsx", money(reports.xlsx)),
        Route("/report.json", money(reports.json)),
        Route("/report/cases", money(behind.cases)),
        Route("/report/entries", money(behind.entries)),
        Route("/report/subscriptions", money(behind.subscriptions)),
        Route("/report/invoices", money(behind.invoices)),
        Route("/report/attempts", money(behind.attempts)),
        Route("/openapi.json", access.guarding(openapi_page)),
        Route("/cases", access.guarding(cases.many)),
        Route("/cases/{case_id}", access.guarding(cases.one)),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),  # a style sheet and an icon: no secret
    ]


def _home(access: Access) -> Page:
    """Finance begins at the report, whoever looks after cases at these."""

    def home(request: Request) -> Response:
        role = access.role_of(request) if access.pages is Pages.LOGIN else None
        return RedirectResponse("/report" if sees_money(role) else "/cases")

    return home


def _login(wiring: Wiring, access: Access) -> list[BaseRoute]:
    """The pages for signing in and out, where people sign in."""
    if access.pages is not Pages.LOGIN:
        return []
    pages = LoginPages(wiring, access)
    return [
        Route("/login", pages.form),
        Route("/login", pages.enter, methods=["POST"]),
        Route("/logout", pages.leave, methods=["POST"]),
    ]
