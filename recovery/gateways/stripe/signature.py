"""Checks that a webhook is Stripe's. Without it anybody could report an invoice as paid.

The timestamp is judged here against the machine clock that the caller hands in: the client library reads the system's clock
itself, and only notices what is too old, not what claims to come from the future. The header is read once for both, timestamp and
signatures: were it read twice, and not quite alike, an old signed body could be sent again with a fresh second timestamp.
"""

import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NoReturn

from recovery.gateways.port import PayloadRejected, SignatureRejected

# Stripe's own tolerance, in either direction.
TOLERANCE_SECONDS: Final = 300
# Ten digits last until the year 2286; longer numbers are not instants.
_DIGITS_MAX: Final = 10


def check_signature(body: bytes, signature: str, *, secrets: Sequence[str], machine_now: datetime) -> None:
    """Raises SignatureRejected unless one of our secrets signed this very body within the tolerance.

    The header is ``t=SECONDS,v1=HEX``, with a ``v1`` for each secret while one replaces another; the HMAC-SHA256 is over
    ``SECONDS.BODY`` (docs.stripe.com/webhooks, "Verify webhook signatures manually").
    """
    if not secrets:
        raise SignatureRejected("no webhook secret is set")
    # Signatures are compared as text, which fails on anything but ASCII.
    if not signature.isascii():
        raise SignatureRejected("the signature header is not ASCII")
    pairs = [item.partition("=") for item in signature.split(",")]
    signed_at = next((value for name, _, value in pairs if name == "t"), "")
    if not signed_at.isdigit() or len(signed_at) > _DIGITS_MAX:
        raise SignatureRejected("the signature header has no timestamp")
    if abs(machine_now.timestamp() - int(signed_at)) > TOLERANCE_SECONDS:
        raise SignatureRejected("the signature is older or newer than the tolerance allows")
    signed = b"%s.%s" % (signed_at.encode(), body)
    ours = [hmac.digest(secret.encode(), signed, "sha256").hex() for secret in secrets]
    given = [value for name, _, value in pairs if name == "v1"]
    if not any(hmac.compare_digest(own, other) for own in ours for other in given):
        raise SignatureRejected("no secret of ours made this signature")


def parsed(body: bytes) -> dict[str, Any]:
    """The signed body as JSON. Raises PayloadRejected when it is no object."""
    try:
        event = _JSON.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise PayloadRejected(f"the body is no JSON ({type(error).__name__})") from None
    if not isinstance(event, dict):
        raise PayloadRejected("the body is no JSON object")
    return event


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_JSON: Final = json.JSONDecoder(parse_constant=_no_constant)
