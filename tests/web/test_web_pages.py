"""The pages: who may read them, what they show, and that nothing on them can be forged."""

import csv
import html
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from building import MONDAY, Life, renewing, wired
from sqlalchemy import text
from web_serving import client_of

from recovery.cases.holdout import Holdout
from recovery.cases.past import PastInvoice
from recovery.money import Money
from recovery.reporting.closing import Closing, close_month
from recovery.runtime.clock import SharedClock, machine_now
from recovery.runtime.settings import SettingsInvalid
from recovery.runtime.web.app import create_app
from recovery.runtime.wiring import Wiring
from recovery.storage.past_store import save_invoices
from recovery.storage.subscription_store import save_subscriptions

pytest_plugins = ["page_fixtures"]

PAGES = ["/", "/report", "/report.csv", "/report.json", "/cases", "/cases/case_in_1"]
HTML = {"Accept": "text/html"}
PERIOD = "?from=2026-09-01&to=2026-10-31"


def test_a_month_that_has_begun_where_the_report_is_read_is_the_one_shown(database_url: str, tmp_path: Path) -> None:
    SharedClock(tmp_path / "clock").set(datetime(2026, 10, 31, 12, tzinfo=UTC))
    ways = {"pages": "open", "clock_file": tmp_path / "clock", "report_zone": "Pacific/Kiritimati"}
    with wired(database_url, **ways) as wiring, client_of(wiring) as client:
        named = {query: client.get(f"/report.csv{query}").headers["content-disposition"] for query in ("", "?zone=UTC")}
        assert "2026-11-01-2026-11-30" in named[""]
        assert "2026-10-01-2026-10-31" in named["?zone=UTC"]


@pytest.mark.parametrize("path", PAGES)
def test_pages_that_are_off_do_not_exist(database_url: str, path: str) -> None:
    with wired(database_url) as wiring, client_of(wiring) as client:
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_shown_without_the_password(database_url: str, path: str) -> None:
    with wired(database_url, pages="password", pages_password="pässword") as wiring, client_of(wiring) as client:
        for headers in (
            {},
            {"Authorization": "Basic nonsense"},
            {"Authorization": "Bearer x"},
            {"Authorization": "Basic OnB3"},
        ):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic ")
        client.auth = ("me", "pässword")
        assert client.get(path).status_code in (200, 307, 404)


def test_a_password_must_be_set_where_one_is_asked_for(database_url: str) -> None:
    with wired(database_url, pages="password") as wiring, pytest.raises(SettingsInvalid, match="PAGES_PASSWORD"):
        create_app(wiring, ring=lambda: None)


@pytest.mark.parametrize("path", [*PAGES, "/healthz", "/metrics", "/nowhere", "/static/style.css"])
def test_every_answer_carries_the_security_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path, headers=HTML).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_report_page_shows_the_figures_of_the_exports(wiring: Wiring, client: httpx.Client) -> None:
    life = Life(wiring)
    life.attempt(life.fail("won", minor=123456))
    life.fail("open", minor=1000, currency="jpy")
    page = client.get("/report" + PERIOD, headers=HTML)
    assert page.status_code == 200
    assert "1,234.56</" in page.text
    assert "100.0 %</a> <" in page.text
    assert "1,000</" in page.text
    assert "<svg" in page.text
    assert "http://" not in page.text.replace("http://www.w3.org/", "")
    assert "<script" not in page.text
    assert " style=" not in page.text
    values = client.get("/report.json" + PERIOD).json()
    assert values["tables"]["cohort"]["rows"][1]["recovered_minor"] == 123456
    download = client.get("/report.csv" + PERIOD)
    assert "recovered-revenue-2026-09-01-2026-10-31.csv" in download.headers["content-disposition"]
    assert {line["table"] for line in csv.DictReader(io.StringIO(download.text))} >= {"cohort", "cash", "source"}


def test_an_empty_report_is_a_page_too(client: httpx.Client) -> None:
    page = client.get("/report?month=2020-01", headers=HTML)
    assert page.status_code == 200
    assert "Nothing in this period" in page.text


@pytest.mark.parametrize("query", ["month=nonsense", "from=2026-10-02&to=2026-10-01", "zone=Mars", "month=2026-10%00"])
def test_a_period_that_does_not_exist_is_explained(client: httpx.Client, query: str) -> None:
    page = client.get(f"/report?{query}", headers=HTML)
    assert page.status_code == 400
    assert "write one like" in page.text or "lies after" in page.text
    assert client.get(f"/report.json?{query}").json()["error"]


def test_a_case_tells_its_story(wiring: Wiring, client: httpx.Client) -> None:
    life = Life(wiring)
    case = life.fail("in_1", minor=4900)
    life.attempt(case, life.declined("do_not_honor"))
    page = client.get(f"/cases/{case}", headers=HTML).text
    for words in ("49.00 USD", "visa credit ••4242 US", "do_not_honor", "Payment failed", "Attempt declined", "UTC"):
        assert words in page
    assert "charge card" in page
    assert "issuer off-hours" in page


def test_an_invoice_or_charge_leads_to_its_case(wiring: Wiring, client: httpx.Client) -> None:
    life = Life(wiring)
    case = life.fail("in_1")
    life.attempt(case)
    charge = life.case(case).attempts[0].charge_id
    for reference in ("in_1", charge):
        assert client.get(f"/cases/{reference}").headers["location"] == f"/cases/{case}"


@pytest.mark.parametrize("path", ["/cases/case_none", "/cases/%00", "/cases/" + "x" * 5000, "/nowhere", "/cases/a/b"])
def test_what_does_not_exist_is_a_friendly_page(client: httpx.Client, path: str) -> None:
    page = client.get(path, headers=HTML)
    assert page.status_code == 404
    assert "Not found" in page.text
    assert "/cases" in page.text
    assert "error" in client.get(path).json()


def test_the_list_pages_through_every_case_once(wiring: Wiring, client: httpx.Client) -> None:
    life = Life(wiring)
    made = {life.fail(f"in_{number:03}", at=MONDAY + timedelta(minutes=number // 7)) for number in range(120)}
    seen: list[str] = []
    address = "/cases"
    while address:
        page = client.get(address, headers=HTML).text
        seen += [part.split('"')[0] for part in page.split('href="/cases/')[1:]]
        following = page.split('rel="next" href="')[1:]
        address = following[0].split('"')[0].replace("&amp;", "&") if following else ""
    assert len(seen) == 120
    assert set(seen) == made


def test_the_list_is_filtered_by_state_and_by_id(wiring: Wiring, client: httpx.Client) -> None:
    life = Life(wiring)
    won, open_case = life.fail("won"), life.fail("open")
    life.attempt(won)
    assert won in (page := client.get("/cases?state=recovered").text)
    assert open_case not in page
    for sought in ("cus_open", "open", "sub_open", "case_open", " cus_open "):
        page = client.get("/cases", params={"q": sought}).text
        assert open_case in page
        assert won not in page
    assert "No cases match" in client.get("/cases?q=%00").text
    assert client.get("/cases?state=happy").status_code == 400
    assert client.get("/cases?behind=nonsense").status_code == 400


def test_what_comes_from_outside_is_text_and_never_markup(wiring: Wiring, client: httpx.Client) -> None:
    life = Life(wiring)
    case = life.fail("in_<b>", code="<script>alert(1)</script>")
    for path in (f"/cases/{case}", "/cases", "/report" + PERIOD, "/cases?q=<script>"):
        page = client.get(path, headers=HTML)
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "<b>" not in page.text


def test_without_a_database_pages_say_so(database_url: str) -> None:
    with wired("postgresql://nobody:hush@127.0.0.1:1/none", pages="open") as wiring, client_of(wiring) as client:
        page = client.get("/report", headers=HTML)
        assert page.status_code == 503
        assert "The database is away" in page.text
        assert "hush" not in page.text


def test_every_figure_of_every_table_opens(wiring: Wiring, client: httpx.Client) -> None:
    """Heat map, churn, arms, closed months and converted sums included: each address answers with a list."""
    life = Life(wiring)
    book = wiring.rulebook
    with wiring.database.connect() as tx:
        policy = book.rules_for(tx, book.current).policy
    measured = replace(policy, holdout=Holdout(share=0.5))
    book.adopt(measured, database=wiring.database, machine_now=machine_now())
    monthly: dict[str, Any] = {"interval": "month", "subscribed_at": MONDAY - timedelta(days=400)}
    life.attempt(life.fail("won", minor=2000, at=MONDAY, **monthly))
    life.fail("open", minor=1000, currency="jpy", at=MONDAY, **monthly)
    ends = {"ended_at": MONDAY + timedelta(days=3), "ended_because": "cancellation_requested"}
    seen = renewing("won", 2000, since=MONDAY - timedelta(days=400), **ends)
    with wiring.database.begin() as tx:
        save_subscriptions(tx, [seen], read_at=MONDAY)
        save_invoices(tx, [_invoice("won", "paid"), _invoice("never_failed", "paid"), _invoice("open", "open")])
        # The tries were made on cards of a network that charges for its advice.
        told = """UPDATE attempts SET card = card || '{"brand": "mastercard"}', signals = '{"network_advice_code": "25"}'"""
        tx.execute(text(told))
    over = MONDAY + timedelta(days=60)
    close_month(wiring.database, Closing(month="2026-09", zone="UTC", closed_by="anna"), now=over)
    with wiring.database.begin() as tx:
        late = """INSERT INTO ledger (case_id, kind, ref, charge_id, amount_minor, currency, occurred_at, booked_at)
            SELECT case_id, 'refunded', 're_late', charge_id, 100, currency, :at, :now FROM ledger WHERE kind = 'recovered'"""
        tx.execute(text(late), {"at": MONDAY + timedelta(days=9), "now": over})
    page = client.get("/report?month=2026-09&by=all", headers=HTML).text
    found = {html.unescape(address) for address in re.findall(r'href="(/report/[^"]+)"', page)}
    for address in {_kind_of(address): address for address in sorted(found)}.values():
        answer = client.get(address, headers=HTML)
        assert answer.status_code == 200, address
    kinds = {address.split("?")[0] for address in found}
    lists = ("cases", "entries", "subscriptions", "invoices", "attempts")
    assert kinds == {f"/report/{name}" for name in lists}
    _lists_hold_what_they_count(client, found)
    (late_one,) = [address for address in found if "late=1" in address and "figure=refunded_minor" in address]
    listed = client.get(late_one, headers=HTML).text
    assert "re_late" in listed
    assert listed.count("<tr>") == 2, "the head and the one booking that came late"
    hours = [address for address in found if "hour=" in address]
    assert any("case_won" in client.get(address, headers=HTML).text for address in hours)
    (left,) = [address for address in found if "which=voluntary" in address]
    assert "cancellation requested" in client.get(left, headers=HTML).text
    for name in ("subscriptions", "invoices"):
        assert client.get(f"/report/{name}?month=2026-09&which=nobody", headers=HTML).status_code == 400
    narrowed = client.get("/report?month=2026-09&by=churn&by=penalties&reason=x&currency=usd", headers=HTML).text
    assert narrowed.count("Not to be narrowed by reason: it is not made of cases.") == 2
    proof = client.get("/report.json?month=2026-09&by=proof&state=recovered").json()["tables"]["proof"]
    assert (proof["rows"], "an outcome" in proof["definition"]) == ([], True), "100 % against 100 %"
    _bookings_add_up(client)


def _bookings_add_up(client: httpx.Client) -> None:
    """The bookings behind a figure of a narrowed report are those of its cases."""
    for query, count in (("brand=visa", 1), ("brand=amex", 0), ("currency=usd", 1), ("currency=jpy", 0)):
        address = f"/report/entries?month=2026-09&figure=recovered_minor&{query}"
        assert client.get(address, headers=HTML).text.count('<th scope="row"') == count, query
    of_engine = "/report/entries?from=2026-09-01&to=2026-12-31&figure=credited_minor"
    assert client.get(of_engine, headers=HTML).text.count('<th scope="row"') == 1


def _lists_hold_what_they_count(client: httpx.Client, found: set[str]) -> None:
    """Renewals, penalties and net revenue churn: as many lines as the figure says, each with its case."""

    def listed(*parts: str) -> list[str]:
        (address,) = {one for one in found if all(part in one for part in parts)}
        return re.findall(r"<tr><th scope=\"row\"[^>]*>.*?</tr>", client.get(address, headers=HTML).text, re.DOTALL)

    assert len(listed("/report/invoices", "currency=usd", "which=all")) == 2
    (failed,) = listed("/report/invoices", "currency=usd", "which=failed")
    assert "/cases/case_won" in failed
    (unpaid,) = listed("/report/invoices", "currency=jpy", "which=unpaid")
    assert "/cases/case_open" in unpaid
    (tried,) = listed("/report/attempts", "penalty=mastercard")
    assert "/cases/case_won" in tried
    (net,) = listed("/report/subscriptions", "which=net_voluntary")
    assert "/cases/case_won" in net
    (credited,) = listed(
        "/report/cases", "cohort=2026-09", "currency=usd", "money=credited", "state=recovered&", "emails=0"
    )
    assert "case_won" in credited


def _kind_of(address: str) -> tuple[object, ...]:
    """What tells addresses apart that are answered in different ways: not which month or country they name."""
    path, _, query = address.partition("?")
    given = dict(part.split("=") for part in query.split("&"))
    told = ("state", "money", "figure", "which", "late", "currency")
    return path, *sorted(given), *(given.get(name) for name in told)


def _invoice(name: str, state: str) -> PastInvoice:
    currency = "jpy" if name == "open" else "usd"
    return PastInvoice(
        id=name,
        customer=f"cus_{name}",
        subscription=f"sub_{name}",
        amount=Money(minor=2000, currency=currency),
        state=state,
        created_at=MONDAY,
    )
