"""Checks that a webhook is Stripe's. Without it anybody could report an invoice as paid.

The timestamp is judged here against the machine clock that the caller hands in: the client library reads the system's clock
itself, and only notices what is too old, not what claims to come from the future.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NoReturn

from stripe import SignatureVerificationError, WebhookSignature

from recovery.gateways.port import PayloadRejected, SignatureRejected

# Stripe's own tolerance, in either direction.
TOLERANCE_SECONDS: Final = 300
# Ten digits last until the year 2286; longer numbers are not instants.
_DIGITS_MAX: Final = 10


def check_signature(body: bytes, signature: str, *, secrets: Sequence[str], machine_now: datetime) -> None:
    """Raises SignatureRejected unless one of our secrets signed this very body within the tolerance."""
    if not secrets:
        raise SignatureRejected("no webhook secret is set")
    # The library compares signatures as text, which fails on anything but ASCII.
    if not signature.isascii():
        raise SignatureRejected("the signature header is not ASCII")
    if abs(machine_now.timestamp() - _signed_at(signature)) > TOLERANCE_SECONDS:
        raise SignatureRejected("the signature is older or newer than the tolerance allows")
    if not any(_signed_with(secret, body, signature) for secret in secrets):
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


def _signed_at(signature: str) -> int:
    # Split exactly as the library does and take the first `t`: were a different one judged here, an old signed body
    # could be sent again with a fresh second timestamp.
    pairs = [item.split("=", 2) for item in signature.split(",")]
    written = next((pair[1] for pair in pairs if pair[0] == "t" and len(pair) > 1), "")
    if not written.isdigit() or len(written) > _DIGITS_MAX:
        raise SignatureRejected("the signature header has no timestamp")
    return int(written)


def _signed_with(secret: str, body: bytes, signature: str) -> bool:
    try:
        WebhookSignature.verify_header(body, signature, secret, tolerance=None)
    except (SignatureVerificationError, UnicodeDecodeError):
        return False
    return True


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_JSON: Final = json.JSONDecoder(parse_constant=_no_constant)
