"""Shared by the sandbox's tests: a clock, a served sandbox with a real client, a receiver of webhooks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe

from recovery.simulation.sandbox import Sandbox

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Clock:
    """A business clock that only moves when told."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **duration: float) -> datetime:
        self.at += timedelta(**duration)
        return self.at


@dataclass
class Running:
    """One served sandbox and a real client with no repeats of its own."""

    sandbox: Sandbox
    clock: Clock
    url: str
    client: stripe.StripeClient
    timeout_client: Callable[[float], stripe.StripeClient]

    def pay(self, invoice: str, *, key: str | None = None, **params: Any) -> stripe.Invoice:
        wish: Any = params
        options: Any = {"idempotency_key": key} if key else {}
        return self.client.v1.invoices.pay(invoice, wish, options)


def connect(url: str, key: str = "sk_test_sandbox", timeout: float = 10.0) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={"api": url},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=timeout),
    )


Server = Callable[..., Running]


@dataclass
class Receiver:
    """Receives webhooks; `answers` are the statuses of the next deliveries, then 200."""

    url: str
    secret: str = "whsec_test"
    bodies: list[bytes] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def events(self) -> list[stripe.Event]:
        return [
            stripe.Webhook.construct_event(body, signature, self.secret)
            for body, signature in zip(self.bodies, self.signatures, strict=True)
        ]

    def types(self) -> list[str]:
        return [event.type for event in self.events()]
