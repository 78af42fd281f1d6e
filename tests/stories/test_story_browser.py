"""The customer's way out as a customer walks it: on a phone, in a real browser, from the link in the email to the end of the case."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from browsing import too_wide
from playwright.sync_api import Browser, ConsoleMessage, Page
from story_house import OWN_ADDRESS, Ways
from story_support import Begin, Life

from recovery.cases.case import Purpose
from recovery.cases.lifecycle import Source, State
from recovery.cases.policy import Policy

pytest_plugins = ["story_fixtures", "browser_fixtures"]
pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]


def _impatient(shipped: Policy) -> Policy:
    """Exhausted within a day, so that a story does not live through three weeks first."""
    return replace(shipped, silent_attempts_max=1, horizon_days=5, segments=())


PAGED = Ways(
    more={"public_url": OWN_ADDRESS, "link_secrets": "a secret of twenty-four or more", "brand_name": "Nimbus"},
    policy=_impatient,
)


@pytest.fixture
def life(begin: Begin) -> Life:
    return begin(ways=PAGED)


@pytest.fixture
def visit(browser: Browser, life: Life) -> Iterator[Visit]:
    """Opens the link of an invoice's newest email on a phone; complaints and sideways scrolling fail the story at its end."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    complaints: list[str] = []

    def _ours(told: ConsoleMessage) -> bool:
        return str(told.location["url"]).startswith(life.house.web_url)

    def opened(invoice: str) -> Page:
        page = context.new_page()
        page.on("console", lambda told: complaints.append(f"{told.text} {told.location}") if _ours(told) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(_link(life, invoice))
        assert too_wide(page) <= 0
        return page

    yield opened
    context.close()
    assert complaints == []


def _link(life: Life, invoice: str) -> str:
    mine = [caught.message for caught in life.mails.messages if f"_{invoice}-mail-" in caught.message["Message-ID"]]
    body = mine[-1].get_body(("plain",)).get_content()
    return str(re.search(r"http://\S+/r/\S+", body).group(0))  # type: ignore[union-attr]


def test_paying_and_being_thanked(life: Life, visit: Visit) -> None:
    invoice = life.fail("lost_card")
    page = visit(invoice)
    page.get_by_role("link", name="Pay $49.00 now").tap()
    page.get_by_label("Card").fill("pm_card_visa")
    page.get_by_role("button", name="Pay").tap()
    page.get_by_role("heading", name="Thank you").wait_for()
    life.work()
    assert (life.case().state, life.case().source) == (State.RECOVERED, Source.CUSTOMER_AFTER_EMAIL)
    thanked = visit(invoice)
    assert thanked.get_by_role("heading", name="Thank you").is_visible()
    assert thanked.locator("form").count() == 0


def test_changing_the_card_comes_back_to_the_page(life: Life, visit: Visit) -> None:
    invoice = life.fail("lost_card")
    page = visit(invoice)
    page.get_by_role("button", name="Change card").tap()
    page.get_by_label("Card").fill("pm_card_visa")
    page.get_by_role("button", name="Save").tap()
    page.wait_for_url(_link(life, invoice))
    life.work()
    assert (life.case().state, life.case().source) == (State.RECOVERED, Source.CUSTOMER_AFTER_EMAIL)


def test_choosing_a_payday(life: Life, visit: Visit) -> None:
    invoice = life.fail(*["do_not_honor"] * 2, "approve")
    life.run(days=4)
    assert life.case().state is State.DUNNING
    page = visit(invoice)
    day = page.get_by_label("Day")
    wished = (life.now + timedelta(days=6)).date()
    page.get_by_role("button", name="Try again on this day").tap()
    assert page.url.endswith(_link(life, invoice).rpartition("/")[2]), "without a day the browser itself asks for one"
    day.fill(wished.isoformat())
    page.get_by_role("button", name="Try again on this day").tap()
    assert page.get_by_role("status").inner_text().startswith("We will try again on")
    assert too_wide(page) <= 0
    letters = len(life.mails.messages)
    life.run(days=9)
    tried = life.case().attempts[-1]
    assert (life.case().state, tried.purpose, tried.started_at.date()) == (
        State.RECOVERED,
        Purpose.CUSTOMER_DATE,
        wished,
    )
    assert len(life.mails.messages) == letters, "nothing was written before the day"


def test_leaving_with_a_reason(life: Life, visit: Visit) -> None:
    invoice = life.fail("lost_card")
    page = visit(invoice)
    page.get_by_text("I want to leave").tap()
    page.get_by_label("I use something else now").tap()
    page.get_by_role("button", name="Yes, I am leaving").tap()
    page.get_by_role("heading", name="We are sorry to see you go").wait_for()
    assert (life.case().state, life.case().left_because) == (State.WITHDRAWN, "switched_service")
    assert visit(invoice).locator("form").count() == 0, "asked once"


def test_unsubscribing_and_what_scanners_do(life: Life, visit: Visit) -> None:
    """Scanners fetch the links with GET and HEAD, some even with what looks like a browser: nothing changes but by a tap."""
    invoice = life.fail("lost_card")
    page = visit(invoice)
    unsubscribe = life.mails.messages[-1].message["List-Unsubscribe"].strip("<>")
    before = life.count("SELECT count(*) FROM journal") + life.count("SELECT count(*) FROM steps")
    for url in (_link(life, invoice), unsubscribe):
        for method in ("GET", "HEAD"):
            assert page.request.fetch(url, method=method).status == 200
    for action in ("card", "day", "leave", "reason"):
        url = _link(life, invoice)
        assert page.request.get(f"{url}/{action}").status == 405
    page.goto(unsubscribe)
    assert too_wide(page) <= 0
    assert life.count("SELECT count(*) FROM journal") + life.count("SELECT count(*) FROM steps") == before
    page.get_by_role("button", name="No further emails").tap()
    page.get_by_role("heading", name="Done").wait_for()
    assert life.case().mail_stopped
