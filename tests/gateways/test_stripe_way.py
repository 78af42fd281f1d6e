"""The way to the gateway: only over authorities that are trusted, through the proxy that the environment names, and nowhere else."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from stripe_stub import Reply, Stub, gateway, stub

from recovery.gateways.port import GatewayUnavailable

TLS = Path(__file__).parents[1] / "dunning" / "tls"
ACCOUNT = {"id": "acct_1", "object": "account", "charges_enabled": True, "country": "US"}


@pytest.fixture
def server() -> Iterator[Stub]:
    encryption = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    encryption.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    with stub(encryption) as running:
        running.on("GET /v1/account", ACCOUNT)
        yield running


def test_a_certificate_that_nobody_signed_gets_no_key(server: Stub) -> None:
    with gateway(server.url) as stripe, pytest.raises(GatewayUnavailable):
        stripe.standing()
    assert server.asked == []


def test_authorities_of_ones_own_are_trusted(server: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(TLS / "cert.pem"))
    with gateway(server.url) as stripe:
        assert stripe.standing().account == "acct_1"


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with stub() as proxy:
        proxy.on("GET /v1/account", ACCOUNT)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("http_proxy", proxy.url.removeprefix("http://"))
        with gateway("http://gateway.invalid") as stripe:
            assert stripe.standing().account == "acct_1"
        monkeypatch.setenv("no_proxy", "gateway.invalid")
        with gateway("http://gateway.invalid") as stripe, pytest.raises(GatewayUnavailable):
            stripe.standing()


def test_nobody_is_followed_elsewhere() -> None:
    with stub() as elsewhere, stub() as asked:
        elsewhere.on("GET /v1/account", ACCOUNT)
        asked.on("GET /v1/account", Reply(status=307, headers={"Location": f"{elsewhere.url}/v1/account"}, body={}))
        with gateway(asked.url) as stripe, pytest.raises(GatewayUnavailable):
            stripe.standing()
        assert elsewhere.asked == []
