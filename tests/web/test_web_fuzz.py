"""Whatever comes in from outside is refused in words or taken: never an error of ours, never a secret in an answer."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from building import wired
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from web_serving import SECRET, client_of, event, signed

from recovery.cases.policy import Policy
from recovery.gateways.port import Notice, PayloadRejected, SignatureRejected
from recovery.gateways.stripe import KINDS, StripeGateway
from recovery.reporting.period import NARROWING
from recovery.runtime.clock import machine_now
from recovery.runtime.knowledge import ConfigInvalid, load_file
from recovery.runtime.logging import set_up_logging
from recovery.runtime.web.asking import BESIDES, PERIOD
from recovery.runtime.wiring import Wiring

pytest_plugins = ["command_fixtures"]
FEW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
MANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
KEY = "sk_test_very_secret"

scalars = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20)
anything = some.recursive(
    scalars, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=10), inner, max_size=4)
)
FIELDS = (
    "id",
    "object",
    "customer",
    "invoice",
    "charge",
    "payment_intent",
    "status",
    "payments",
    "parent",
    "data",
    "lines",
    "amount",
)
objects = some.dictionaries(some.sampled_from(FIELDS), anything, max_size=8)


@some.composite
def notices(draw: some.DrawFn) -> dict[str, Any]:
    """Something like an event, with any part of it bent."""
    made: dict[str, Any] = json.loads(event(kind=draw(some.sampled_from(sorted(KINDS)))))
    made["data"]["object"] |= draw(objects)
    for name in draw(some.lists(some.sampled_from(sorted(made)), max_size=2)):
        made[name] = draw(anything)
    return made


@pytest.fixture
def wiring(database_url: str) -> Iterator[Wiring]:
    ways = {"stripe_secret_key": KEY, "stripe_webhook_secrets": SECRET, "pages": "open"}
    with wired(database_url, **ways) as made:
        yield made


@pytest.fixture
def gateway() -> Iterator[StripeGateway]:
    made = StripeGateway(secret_key=KEY, webhook_secrets=(SECRET,))
    yield made
    made.close()


@pytest.fixture
def client(wiring: Wiring, logging_as_before: None) -> Iterator[httpx.Client]:
    """A client; whatever it does, no secret comes into the log."""
    lines = io.StringIO()
    set_up_logging(wiring.settings, stream=lines, level="debug")
    with client_of(wiring) as made:
        yield made
    assert "uvicorn" in lines.getvalue()
    for secret in (KEY, SECRET, "a@b.example"):
        assert secret not in lines.getvalue()


@MANY
@given(body=notices())
def test_a_signed_body_is_an_event_or_is_refused(gateway: StripeGateway, body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    found: Notice | str
    try:
        found = gateway.verify(raw, signed(raw)["Stripe-Signature"], machine_now=machine_now())
    except PayloadRejected as error:
        found = str(error)
    if isinstance(found, Notice):
        assert json.loads(json.dumps(dict(found.content))) == found.content
    else:
        assert KEY not in found


@MANY
@given(body=some.binary(max_size=200), signature=some.text(max_size=80) | some.just("t=1,v1=") | some.just("t=9" * 50))
def test_whatever_is_not_signed_is_refused(gateway: StripeGateway, body: bytes, signature: str) -> None:
    with pytest.raises(SignatureRejected) as refused:
        gateway.verify(body, signature, machine_now=machine_now())
    assert SECRET not in str(refused.value)


@FEW
@given(body=notices())
def test_no_webhook_is_an_error_of_ours(client: httpx.Client, body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    answer = client.post("/webhooks/stripe", content=raw, headers=signed(raw))
    assert answer.status_code in (200, 400), answer.text
    assert KEY not in answer.text
    assert SECRET not in answer.text


header_names = some.sampled_from(
    ("Stripe-Signature", "Content-Type", "Content-Encoding", "Accept", "Cookie", "Authorization", "X-Forwarded-For")
)
header_values = some.binary(max_size=60).map(
    lambda raw: bytes(one for one in raw if one >= 0x20 and one != 0x7F).strip()
)


@FEW
@given(headers=some.dictionaries(header_names, header_values, max_size=5), good=some.booleans())
@example(headers={"Stripe-Signature": b"t=1,v1=\xff"}, good=False)
@example(headers={"X-Forwarded-For": b"\xff, ,;", "Content-Encoding": b"gzip"}, good=True)
def test_no_header_is_an_error_of_ours(client: httpx.Client, headers: dict[str, bytes], good: bool) -> None:
    raw = event()
    told = headers | ({"Stripe-Signature": signed(raw)["Stripe-Signature"].encode()} if good else {})
    sent = httpx.Headers([(name.encode(), value) for name, value in told.items()])
    answer = client.post("/webhooks/stripe", content=raw, headers=sent)
    assert answer.status_code == (200 if good else 400), answer.text
    assert SECRET not in answer.text


BEHIND = ("cases", "entries", "subscriptions", "invoices", "attempts")
PAGES = (
    *("/report", "/report.csv", "/report.json", "/cases", "/cases/x", "/metrics", "/login", "/openapi.json"),
    *(f"/report/{behind}" for behind in BEHIND),
)
ODD = (
    *("2026-13", "9999-12", "0001-01", "9999-12-31", "0001-01-01", "2026-10", "Asia/Kathmandu", "../../etc/passwd"),
    *("\x00", "%00", "-1", "9" * 20, "usd", "open", "month", "recovered", "eyJhIjoxfQ", "'; --", "a" * 300, "\udcff"),
)


@settings(FEW, max_examples=60)
@given(
    path=some.sampled_from(PAGES),
    asked=some.lists(
        some.tuples(
            some.sampled_from((*PERIOD, *NARROWING, *BESIDES, "q", "behind", "next", "x")),
            some.text(max_size=30) | some.sampled_from(ODD),
        ),
        max_size=3,
    ),
)
@example(path="/report", asked=[("month", "9999-12")])
@example(path="/report", asked=[("from", "0001-01-01"), ("to", "0001-01-02")])
@example(path="/report/entries", asked=[("figure", "recovered"), ("page", "9" * 20)])
def test_no_query_is_an_error_of_ours(client: httpx.Client, path: str, asked: list[tuple[str, str]]) -> None:
    query = urlencode(asked, errors="surrogateescape" if "\udcff" in str(asked) else "replace")
    answer = client.get(f"{path}?{query}", headers={"Accept": "text/html"})
    assert answer.status_code < 500, (path, asked)
    assert KEY not in answer.text


@MANY
@given(
    text=some.text(max_size=200)
    | some.sampled_from(("horizon_days = -1", "[ladders]\nx = 1", "silent_tries_max = 'a'", "a = nan"))
)
def test_a_policy_file_is_sound_or_every_mistake_is_told(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = Path(tmp_path_factory.mktemp("fuzz")) / "recovery.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    mistakes = ["recovery.toml: none"]
    try:
        load_file(path, Policy)
    except ConfigInvalid as error:
        mistakes = list(error.mistakes)
    assert mistakes
    assert all("recovery.toml" in mistake for mistake in mistakes)


def test_no_secret_is_shown_by_what_holds_it(wiring: Wiring) -> None:
    assert KEY not in repr(wiring) + repr(wiring.settings) + repr(wiring.gateway) + str(wiring.settings)
    assert SECRET not in repr(wiring) + repr(wiring.settings) + repr(wiring.gateway)
    password = wiring.database_url.split(":")[2].partition("@")[0]
    assert password not in repr(wiring.database) + repr(wiring)
