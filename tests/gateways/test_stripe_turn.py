"""A turn within the shared rate that comes after the call's time is over: nothing is sent."""

import time
from contextlib import closing

import pytest
from stripe_stub import ORDER, Stub, stub

from recovery.cases.answers import NotSent
from recovery.gateways.port import GatewayUnavailable
from recovery.gateways.stripe import Limits, StripeGateway

LIMITS = Limits(connect_seconds=1, read_seconds=0.3, bound_seconds=0.5, least_try_seconds=0.1, tries_max=1)


def late(_: float) -> bool:
    """As a server of turns that stalls: it says yes, and nobody waits any more."""
    time.sleep(0.6)
    return True


def hurried(server: Stub) -> closing[StripeGateway]:
    return closing(StripeGateway(secret_key="sk_test_1", api_base=server.url, limits=LIMITS, pace=late))


def test_a_read_whose_turn_comes_too_late_finds_the_gateway_away() -> None:
    with stub() as server, hurried(server) as stripe:
        with pytest.raises(GatewayUnavailable):
            stripe.standing()
        assert server.asked == []


def test_a_charge_whose_turn_comes_too_late_was_never_sent() -> None:
    with stub() as server, hurried(server) as stripe:
        assert isinstance(stripe.charge(ORDER), NotSent)
        assert server.asked == []
