"""One sandbox with a gateway on it, and a business clock that a test moves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from stripe_stub import gateway

from recovery.gateways.port import ChargeOrder
from recovery.gateways.stripe import Limits, StripeGateway
from recovery.simulation.sandbox import Sandbox, SandboxOptions, serve_sandbox

LIMITS = Limits(connect_seconds=1, read_seconds=0.4, bound_seconds=8, least_try_seconds=0.1)
AFTER_FIRST_FAILURE = ("insufficient_funds",)


@dataclass
class Clock:
    """Business time that a test moves."""

    at: datetime = datetime(2026, 10, 5, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@dataclass
class World:
    """One sandbox with a gateway on it."""

    clock: Clock
    sandbox: Sandbox
    stripe: StripeGateway
    url: str

    def invoice(self, *answers: str) -> str:
        """A failed invoice whose card answers so from the next attempt on."""
        return self.sandbox.make_failed_invoice(behaviour=(*AFTER_FIRST_FAILURE, *answers))

    def order(self, invoice: str, key: str = "attempt-1") -> ChargeOrder:
        """The order of one attempt, an hour after whatever happened before."""
        self.clock.at += timedelta(hours=1)
        obligation = self.stripe.read_obligation(invoice)
        assert obligation.card is not None
        return ChargeOrder(
            key=key,
            obligation=invoice,
            payment_method=obligation.card.payment_method,
            amount=obligation.remaining,
            started_at=self.clock.at,
        )


@contextmanager
def sandbox_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A served sandbox in the shape that the test asks for, basil unless told otherwise."""
    clock = Clock()
    sandbox = Sandbox(now=clock, options=SandboxOptions(shape=getattr(request, "param", "basil")))
    with serve_sandbox(sandbox) as url, gateway(url, limits=LIMITS, key=sandbox.secret_key) as stripe:
        yield World(clock, sandbox, stripe, url)


both = pytest.mark.parametrize("world", ["basil", "legacy"], indirect=True)
"""For what depends on the shape of the answers; everything else is told once, in the new one."""
