"""The webhook endpoint: what is stored, what is refused, and that neither broker nor database makes it lie."""

import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from building import wired
from web_serving import SECRET, client_of, event, rows, signed

from recovery.runtime.settings import SettingsInvalid
from recovery.runtime.web.app import create_app
from recovery.runtime.web.headers import HEADERS
from recovery.runtime.wiring import Wiring

GONE = "postgresql://nobody:none@127.0.0.1:1/none"


@pytest.fixture
def wiring(database_url: str) -> Iterator[Wiring]:
    with wired(database_url, stripe_webhook_secrets=SECRET, webhook_body_bytes_max=2048) as made:
        yield made


@pytest.fixture
def client(wiring: Wiring) -> Iterator[httpx.Client]:
    with client_of(wiring) as made:
        yield made


def post(client: httpx.Client, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    answer = client.post("/webhooks/stripe", content=body, headers=headers)
    return answer.status_code, answer.text


def test_an_event_is_stored_once_however_often_it_comes(wiring: Wiring, client: httpx.Client) -> None:
    body = event()
    assert post(client, body, signed(body)) == (200, '{"received":"stored"}')
    assert post(client, body, signed(body)) == (200, '{"received":"known"}')
    assert [tuple(row) for row in rows(wiring, "SELECT id, state FROM events")] == [("evt_1", "waiting")]
    assert "a@b.example" not in str(rows(wiring, "SELECT content FROM events"))


def test_events_of_no_concern_are_acknowledged_and_forgotten(wiring: Wiring, client: httpx.Client) -> None:
    body = event(kind="product.created")
    assert post(client, body, signed(body)) == (200, '{"received":"not_ours"}')
    assert rows(wiring, "SELECT 1 FROM events") == []


@pytest.mark.parametrize(
    "headers",
    [{}, {"Stripe-Signature": "t=1,v1=0"}, signed(event(), secret="whsec_other"), signed(event(), late_seconds=400)],
    ids=["none", "nonsense", "of another secret", "too old"],
)
def test_what_is_not_signed_by_stripe_is_refused(wiring: Wiring, client: httpx.Client, headers: dict[str, str]) -> None:
    status, text = post(client, event(), headers)
    assert status == 400
    assert "signature" in text
    assert rows(wiring, "SELECT 1 FROM events") == []


def test_a_changed_body_is_refused(client: httpx.Client) -> None:
    body = event()
    assert post(client, body.replace(b"cus_1", b"cus_2"), signed(body))[0] == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id": "evt_1"}', b"\xff\xfe"])
def test_a_signed_body_that_is_no_event_is_refused_in_words(client: httpx.Client, body: bytes) -> None:
    status, text = post(client, body, signed(body))
    assert status == 400
    assert text.startswith('{"error":')


def test_a_long_body_is_refused_before_it_is_read_whole(wiring: Wiring, client: httpx.Client) -> None:
    body = b"x" * 2049
    assert post(client, body, signed(body))[0] == 413
    drawn = []

    def endless() -> Iterator[bytes]:
        for number in range(50):
            drawn.append(number)
            yield b"x" * 1024

    answer = client.post("/webhooks/stripe", content=endless(), headers=signed(b""))
    assert answer.status_code == 413
    assert rows(wiring, "SELECT 1 FROM events") == []


def test_without_a_secret_there_is_no_such_endpoint(database_url: str) -> None:
    body = event()
    with wired(database_url) as wiring, client_of(wiring) as client:
        assert post(client, body, signed(body))[0] == 404


def test_with_a_secret_and_no_key_nothing_is_served(database_url: str) -> None:
    keyless = wired(database_url, stripe_webhook_secrets=SECRET, stripe_secret_key=None)
    with keyless as wiring, pytest.raises(SettingsInvalid, match="RECOVERY_STRIPE_SECRET_KEY"):
        create_app(wiring, ring=lambda: None)


def test_without_a_database_stripe_is_asked_to_send_it_again() -> None:
    body = event()
    with wired(GONE, stripe_webhook_secrets=SECRET) as wiring, client_of(wiring) as client:
        answer = client.post("/webhooks/stripe", content=body, headers=signed(body))
        assert answer.status_code == 503
        assert answer.headers["retry-after"].isdigit()
        # A refusal needs no database.
        assert post(client, body, {})[0] == 400


def test_before_the_first_migration_stripe_is_asked_to_send_it_again(empty_database_url: str) -> None:
    body = event()
    with wired(empty_database_url, stripe_webhook_secrets=SECRET) as wiring, client_of(wiring) as client:
        assert post(client, body, signed(body))[0] == 503


def test_what_is_stored_rings_once_and_what_is_known_does_not(wiring: Wiring) -> None:
    rung = threading.Semaphore(0)
    body = event()
    with client_of(wiring, ring=rung.release) as client:
        post(client, body, signed(body))
        assert rung.acquire(timeout=5)
        post(client, body, signed(body))
        post(client, event(kind="product.created"), signed(event(kind="product.created")))
    assert not rung.acquire(blocking=False)


def test_a_broker_that_is_away_costs_nothing(wiring: Wiring) -> None:
    def broken() -> None:
        raise ConnectionError("no broker")

    with client_of(wiring, ring=broken) as client:
        for number in range(3):
            body = event(f"evt_{number}")
            assert post(client, body, signed(body))[0] == 200


def test_a_slow_broker_delays_no_answer_and_rings_are_not_piled_up(wiring: Wiring) -> None:
    let_go, rung = threading.Event(), []

    def slow() -> None:
        rung.append(1)
        assert let_go.wait(20)

    with client_of(wiring, ring=slow) as client:
        began = time.monotonic()
        for number in range(10):
            body = event(f"evt_{number}")
            assert post(client, body, signed(body))[0] == 200
        assert time.monotonic() - began < 10
        let_go.set()
    assert len(rung) <= 2


def test_only_post_is_taken(client: httpx.Client) -> None:
    answer = client.get("/webhooks/stripe")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_its_answers_carry_the_headers_of_all_others_and_no_more_with_time(client: httpx.Client) -> None:
    body = event()
    answers = [client.post("/webhooks/stripe", content=body, headers=signed(body)) for _ in range(3)]
    refused = client.post("/webhooks/stripe", content=body)
    for answer in (*answers, refused):
        assert set(answer.headers) - {"date", "server"} == {name.lower() for name in HEADERS} | {
            "content-type",
            "content-length",
        }
        assert len(answer.headers.multi_items()) == len(answer.headers)
