"""Whatever comes in from outside is refused in words or taken: never an error of ours, never a secret in an answer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from building import wired
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from web_serving import SECRET, client_of, event, signed

from recovery.cases.policy import Policy
from recovery.gateways.port import Notice, PayloadRejected, SignatureRejected
from recovery.gateways.stripe import KINDS, StripeGateway
from recovery.runtime.clock import machine_now
from recovery.runtime.knowledge import ConfigInvalid, load_file
from recovery.runtime.wiring import Wiring

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
def client(wiring: Wiring) -> Iterator[httpx.Client]:
    with client_of(wiring) as made:
        yield made


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


@FEW
@given(
    path=some.sampled_from(("/report", "/report.csv", "/report.json", "/cases", "/cases/x", "/metrics")),
    asked=some.dictionaries(
        some.sampled_from(("month", "from", "to", "zone", "state", "q", "behind", "by")),
        some.text(max_size=30),
        max_size=4,
    ),
)
def test_no_query_is_an_error_of_ours(client: httpx.Client, path: str, asked: dict[str, str]) -> None:
    answer = client.get(path, params=asked, headers={"Accept": "text/html"})
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
