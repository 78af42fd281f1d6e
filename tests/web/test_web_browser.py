"""The pages in a real browser: they load, complain about nothing, and fit on a phone."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from browsing import too_wide
from building import MONDAY, Life, wired
from playwright.sync_api import Browser, Page
from serving import served

from recovery.cases import facts
from recovery.runtime.clock import machine_now
from recovery.runtime.web.app import create_app
from recovery.runtime.web.signing_in import hashed
from recovery.storage.user_store import User, add_user

pytest_plugins = ["browser_fixtures"]
pytestmark = pytest.mark.browser

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 360, "height": 740}}
PATHS = {
    "report": "/report?from=2026-09-01&to=2026-11-30",
    "hours": "/report?month=2026-09&by=hours&by=country",
    "subscriptions": "/report/subscriptions?month=2026-09&contract=month&currency=usd&which=all",
    "cases behind": "/report/cases?month=2026-09&state=recovered",
    "bookings behind": "/report/entries?month=2026-09&figure=net_minor",
    "cases": "/cases",
    "case": "/cases/case_in_TheOneWithAVeryLongInvoiceId0001",
    "error": "/cases/case_none",
}


@pytest.fixture
def site(database_url: str) -> Iterator[str]:
    with wired(database_url, pages="open") as wiring:
        _live(Life(wiring))
        with served(create_app(wiring, ring=lambda: None)) as url:
            yield url


def _live(life: Life) -> None:
    """Some weeks in three currencies, with every end and every source in them."""
    for number in range(15):
        currency, minor = (("usd", 4900), ("eur", 123456), ("jpy", 1980))[number % 3]
        at = MONDAY + timedelta(days=number)
        case = life.fail(f"in_{number:04}", minor=minor + number, currency=currency, at=at)
        if number % 5 == 0:
            life.pay(case)
        elif number % 5 == 1:
            life.tell(case, facts.InvoiceWrittenOff(obligation_id=f"in_{number:04}", at=life.at))
        elif number % 5 < 4:
            life.attempt(case)
    long = life.fail("in_TheOneWithAVeryLongInvoiceId0001", minor=4900, at=MONDAY)
    life.attempt(long, life.declined())
    life.attempt(long, life.declined("do_not_honor"))


def _opened(browser: Browser, address: str, size: str, *, dark: bool) -> tuple[Page, list[str]]:
    complaints: list[str] = []
    page = browser.new_page(viewport=SIZES[size], color_scheme="dark" if dark else "light")  # type: ignore[arg-type]
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on(
        "request", lambda made: None if made.url.startswith(address.split("/", 3)[0]) else complaints.append(made.url)
    )
    page.goto(address, wait_until="load")
    return page, complaints


@pytest.mark.parametrize("size", SIZES)
def test_pages_load_without_a_complaint_and_fit(browser: Browser, site: str, size: str, tmp_path: Path) -> None:
    for name, path in PATHS.items():
        page, complaints = _opened(browser, site + path, size, dark=size == "phone")
        page.screenshot(path=str(tmp_path / f"{size}-{name}.png"), full_page=True)
        assert page.locator("h1").count() == 1
        assert too_wide(page) <= 0, f"{name} scrolls sideways on a {size}"
        expected = 1 if name == "error" else 0  # the browser notes the 404 itself
        assert len(complaints) == expected, complaints
        page.close()


def test_tables_fit_on_paper(browser: Browser, site: str) -> None:
    """Landscape: heads above their columns, and nothing beyond the edge."""
    page, _ = _opened(
        browser, site + "/report?from=2026-09-01&to=2026-11-30&by=cohort&by=cash&by=hours", "desk", dark=False
    )
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1032, "height": 700})
    right = "Math.max(...[...document.querySelectorAll('table')].map(table => table.getBoundingClientRect().right))"
    assert page.evaluate(right) <= 1032
    assert page.locator("table.figures thead").first.is_visible()
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_figures_lead_on_and_the_keyboard_is_enough(browser: Browser, site: str) -> None:
    page, complaints = _opened(browser, site + "/", "desk", dark=False)
    assert page.url.endswith("/report")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.get_by_label("First day").fill("2026-09-07")  # beside the month that is filled in already
    page.get_by_label("Last day").fill("2026-09-20")
    page.get_by_label("Last day").press("Enter")
    page.wait_for_url("**/report?from=2026-09-07&to=2026-09-20")
    assert page.get_by_text("2026-09-07 to 2026-09-20 (UTC)").is_visible()
    page.get_by_label("Month").fill("2026-09")
    page.get_by_role("button", name="Show month").click()
    assert page.get_by_text("2026-09-01 to 2026-09-30 (UTC)").is_visible()
    page.get_by_role("link", name="Cases").click()
    page.get_by_label("State").select_option("recovered")
    page.get_by_role("button", name="Show").click()
    assert "state=recovered" in page.url
    page.get_by_role("link", name="case_in_").first.click()
    assert page.get_by_role("heading", name="Timeline").is_visible()
    assert page.get_by_text("Payment failed").is_visible()
    assert complaints == []
    page.close()


def test_a_figure_leads_to_its_cases_after_signing_in(browser: Browser, database_url: str) -> None:
    """In a browser, because only that sends the headers by which another site's forms are told from ours."""
    with wired(database_url, pages="login") as wiring:
        _live(Life(wiring))
        with wiring.database.begin() as tx:
            anna = User(name="anna", role="finance", enabled=True, created_at=machine_now())
            add_user(tx, anna, password_hash=hashed("correct horse battery"))
        with served(create_app(wiring, ring=lambda: None)) as url:
            page, complaints = _opened(browser, url + "/report?month=2026-09", "desk", dark=False)
            page.get_by_label("Name").fill("anna")
            page.get_by_label("Password").fill("correct horse battery")
            page.keyboard.press("Enter")
            page.wait_for_url("**/report?month=2026-09")
            figure = page.locator("section[aria-labelledby=cohort] td[data-label=Recovered] a").first
            count = int(figure.inner_text())
            figure.click()
            assert page.locator("tbody tr").count() == count
            page.get_by_role("link", name="case_in_").first.click()
            assert page.get_by_role("heading", name="Timeline").is_visible()
            page.get_by_role("button", name="Sign out").click()
            page.wait_for_url("**/login")
            assert complaints == []
            page.close()


def test_the_chart_is_drawn(browser: Browser, site: str) -> None:
    page, _ = _opened(browser, site + PATHS["report"], "desk", dark=True)
    box = page.locator("figure.chart svg").bounding_box()
    assert box is not None
    assert box["width"] > 600
    assert box["height"] > 300
    colour = page.evaluate("getComputedStyle(document.querySelector('figure.chart svg text')).fill")
    assert colour == "rgb(232, 235, 239)", "the chart's text does not follow the dark page"
    page.close()
