"""Health, readiness and metrics: what a supervisor and a monitor are told."""

import base64
import re
from collections.abc import Iterator

import httpx
import pytest
from building import MONDAY, Life, set_one_of_each_aside, wired
from sqlalchemy import text
from web_serving import SECRET, client_of, event, signed

from recovery.runtime.wiring import Wiring
from recovery.storage.flag_store import CHARGING_HALTED, MAIL_ILL, raise_flag

GONE = "postgresql://nobody:hush@127.0.0.1:1/none"


@pytest.fixture
def wiring(database_url: str) -> Iterator[Wiring]:
    with wired(database_url, stripe_webhook_secrets=SECRET, pages="open") as made:
        yield made


def values(client: httpx.Client, headers: dict[str, str] | None = None) -> dict[str, float]:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    found = re.findall(r"^([a-z_]+(?:\{[^}]*\})?) ([0-9.e+-]+)$", answer.text, flags=re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_a_ready_process_says_so(wiring: Wiring) -> None:
    with client_of(wiring) as client:
        assert client.get("/healthz").text == "ok\n"
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["missing"], answer.json()["charging"]) == (200, [], "running")


def test_halted_charging_is_reported_and_keeps_the_webhooks_coming(wiring: Wiring) -> None:
    with wiring.database.begin() as tx:
        raise_flag(tx, CHARGING_HALTED, "401 sk_test_4711 refused", at=MONDAY)
        for _ in range(10):
            raise_flag(tx, MAIL_ILL, "421", at=MONDAY)
    with client_of(wiring) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 200
        assert answer.json()["charging"].startswith("halted")
        assert "sk_test" not in answer.text
        assert values(client)["recovery_charging_halted"] == values(client)["recovery_letters_resting"] == 1


def test_an_empty_database_is_named_with_what_to_do(empty_database_url: str) -> None:
    with wired(empty_database_url) as wiring, client_of(wiring) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "recovery migrate" in answer.json()["missing"][0]


def test_without_a_database_the_process_lives_and_is_not_ready() -> None:
    with wired(GONE) as wiring, client_of(wiring) as client:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "hush" not in answer.text
        assert values(client)["recovery_database_up"] == 0


def test_a_monitor_with_the_password_is_told_that_the_database_is_away() -> None:
    headers = {"Authorization": "Basic " + base64.b64encode(b"monitor:a shared password").decode()}
    with wired(GONE, pages="password", pages_password="a shared password") as wiring, client_of(wiring) as client:
        assert values(client, headers)["recovery_database_up"] == 0


def test_metrics_count_what_the_database_holds(wiring: Wiring) -> None:
    life = Life(wiring)
    life.attempt(life.fail("won", minor=1000))
    life.attempt(life.fail("open"), life.declined())
    life.pay(life.fail("yen", minor=300, currency="jpy"))
    body = event()
    with client_of(wiring) as client:
        client.post("/webhooks/stripe", content=body, headers=signed(body))
        found = values(client)
    assert found['recovery_cases{state="recovered"}'] == 2
    assert found['recovery_cases{state="silent"}'] == 1
    assert found['recovery_cases{state="review"}'] == 0
    assert found['recovery_attempts{status="declined"}'] == 1
    assert found['recovery_events{state="waiting"}'] == 1
    assert found['recovery_steps{standing="due"}'] >= 0
    assert found['recovery_recovered_minor{currency="usd",source="silent_retry"}'] == 1000
    assert found['recovery_recovered_minor{currency="jpy",source="customer_unasked"}'] == 300
    assert found['recovery_webhooks_total{outcome="stored"}'] == 1
    assert found["recovery_webhook_seconds_count"] == 1
    assert not any(value for name, value in found.items() if name.startswith("recovery_scrape_failed"))


def test_what_is_set_aside_is_counted_and_shown_on_the_page(wiring: Wiring) -> None:
    case_id = Life(wiring).fail("in_1")
    set_one_of_each_aside(wiring, case_id)
    with client_of(wiring) as client:
        found, page = values(client), client.get("/cases").text
    assert (found['recovery_steps{standing="set_aside"}'], found['recovery_events{state="set_aside"}']) == (1, 1)
    assert case_id in page
    assert "step: poison" in page
    assert "evt_1 (event: poison)" in page


def test_money_is_told_only_to_those_who_may_read_the_pages(database_url: str) -> None:
    with wired(database_url) as wiring:
        life = Life(wiring)
        life.attempt(life.fail("won", minor=1000))
        with client_of(wiring) as client:
            assert not any("minor" in name for name in values(client))
    with wired(database_url, pages="password", pages_password="open sesame") as wiring, client_of(wiring) as client:
        assert not any("minor" in name for name in values(client))
        client.auth = ("anybody", "open sesame")
        assert any("minor" in name for name in values(client))


def test_a_count_that_fails_leaves_a_gap_and_says_so(wiring: Wiring) -> None:
    with wiring.database.begin() as tx:
        tx.execute(text("ALTER TABLE attempts RENAME TO hidden"))
    with client_of(wiring) as client:
        found = values(client)
    assert found['recovery_scrape_failed{part="attempts"}'] == 1
    assert found['recovery_scrape_failed{part="cases"}'] == 0
    assert found["recovery_database_up"] == 1
