"""Reads the gateway before a decision. Without it a gateway that is briefly away would count as a failed step."""

from collections.abc import Iterator
from contextlib import contextmanager

from recovery.engine.claims import Postponed
from recovery.gateways.port import GatewayMisconfigured, GatewayUnavailable

AWAY_SECONDS = 30.0
"""How long a step waits when the gateway does not answer: long enough not to press an ill gateway."""

REFUSED_SECONDS = 300.0
"""How long a step waits when the gateway refuses our key: a person has to act first."""


@contextmanager
def patiently() -> Iterator[None]:
    """Turn "the gateway is away" into "later".

    NotFound passes through: the case goes to a person. So does GatewayRefused, which counts as a failure of the step: what can never
    be read is set aside after a few times, where "later" would be for ever.
    """
    try:
        yield
    except GatewayUnavailable as error:
        raise Postponed(f"the gateway does not answer: {error}", hold_seconds=AWAY_SECONDS) from error
    except GatewayMisconfigured as error:
        raise Postponed(f"the gateway refuses our key: {error}", hold_seconds=REFUSED_SECONDS) from error
