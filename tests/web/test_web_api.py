"""The report for programs: what may be asked for, what is refused and how, and that the description of it is true."""

import io
import json
import re
import zipfile

import httpx
from building import Life
from starlette.routing import Route

from recovery.reporting.period import NARROWING
from recovery.runtime.web.app import create_app
from recovery.runtime.web.asking import PERIOD
from recovery.runtime.wiring import Wiring

pytest_plugins = ["page_fixtures"]

HTML = {"Accept": "text/html"}
MISTYPED = {
    "curency=usd": "'curency' is nothing to ask for",
    "state=recoverd": "state: there is no 'recoverd'; there are open, silent",
    "source=engine": "source: there is no 'engine'",
    "currency=dollar": "currency: 'dollar' cannot be; write three letters",
    "hour=168": "hour: '168' cannot be",
    "attempt=first": "attempt: 'first' cannot be; write a number",
    "cohort=october": "cohort: 'october' cannot be; write a month",
    "currency=usd&currency=eur": "currency is given twice",
    "by=brandt": "by: there is no table",
    "reason=" + "x" * 201: "what no key can be",
}


def test_a_mistyped_key_is_refused_by_its_name(client: httpx.Client) -> None:
    """It would find nothing, or everything, and be taken for a figure."""
    for query, words in MISTYPED.items():
        answer = client.get(f"/report.json?month=2026-09&{query}")
        assert (answer.status_code, words in answer.json()["error"]) == (400, True), answer.text
    assert client.get("/report/cases?month=2026-09&state=recoverd").status_code == 400


def test_a_narrowed_report_says_so_in_every_form(wiring: Wiring, client: httpx.Client) -> None:
    """On paper and in a file it would be taken for the whole."""
    life = Life(wiring)
    life.attempt(life.fail("won", minor=2000))
    asked = "?month=2026-09&by=cohort&currency=USD&country=us&hour=57"
    page = client.get("/report" + asked, headers=HTML).text
    assert "<strong>Only cases with</strong>" in page
    assert '<span class="state">hour: Wed 09</span>' in page
    assert "Only cases with" not in client.get("/report?month=2026-09&by=cohort", headers=HTML).text
    narrowed = {"country": "US", "currency": "usd", "hour": "57"}
    assert client.get("/report.json" + asked).json()["narrowed"] == narrowed
    assert client.get("/report.json?month=2026-09&by=cohort").json()["narrowed"] == {}
    for ending in ("csv", "xlsx"):
        download = client.get(f"/report.{ending}{asked}")
        assert f"-2026-09-30-narrowed.{ending}" in download.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(download.content)) as book:
        words = book.read("xl/sharedStrings.xml").decode()
    assert "Only cases with" in words
    assert all(f">{name}: {key}<" in words for name, key in narrowed.items())


def test_the_description_of_the_api_is_what_the_api_does(wiring: Wiring, client: httpx.Client) -> None:
    """Every path, parameter, answer and field of it, and none besides."""
    life = Life(wiring)
    life.attempt(life.fail("won", minor=2000))
    found = client.get("/openapi.json").json()
    assert found["openapi"].startswith("3.1")
    routes = {route.path for route in create_app(wiring, ring=lambda: None).routes if isinstance(route, Route)}
    assert set(found["paths"]) == {path for path in routes if path.startswith("/report.")}
    schemas = found["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", json.dumps(found))) == set(schemas)
    for path, item in found["paths"].items():
        operation = item["get"]
        names = [one["name"] for one in operation["parameters"]]
        assert sorted(names) == sorted({*PERIOD, *NARROWING, "by"})
        answer = client.get(path, params={"month": "2026-09"})
        kind = answer.headers["content-type"].partition(";")[0]
        assert list(operation["responses"]["200"]["content"]) == [kind]
        refused = client.get(path, params={"month": "2026-13"})
        assert str(refused.status_code) in operation["responses"]
        assert set(refused.json()) == set(schemas["Error"]["required"])
    report = client.get("/report.json?month=2026-09").json()
    assert set(report) == set(schemas["Report"]["required"]) == set(schemas["Report"]["properties"])
    (choices,) = [one["schema"]["items"]["enum"] for one in operation["parameters"] if one["name"] == "by"]
    assert {*report["tables"], "all"} == set(choices)
    for table in report["tables"].values():
        assert set(table) == set(schemas["Table"]["required"]) == set(schemas["Table"]["properties"])
        for row in table["rows"]:
            assert set(row) == {"key", "currency", *table["figures"]}
