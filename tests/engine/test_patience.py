"""What a step does when the gateway cannot be read: wait where waiting helps, count a failure where it never will."""

import pytest

from recovery.engine.claims import Postponed
from recovery.engine.patience import patiently
from recovery.gateways.port import GatewayError, GatewayMisconfigured, GatewayRefused, GatewayUnavailable, NotFound


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (GatewayUnavailable("503"), Postponed),
        (GatewayMisconfigured("401"), Postponed),
        (GatewayRefused("400"), GatewayRefused),
        (NotFound("404"), NotFound),
    ],
)
def test_only_what_may_pass_is_waited_for(error: GatewayError, seen: type[Exception]) -> None:
    with pytest.raises(seen), patiently():
        raise error
