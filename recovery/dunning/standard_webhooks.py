"""Signatures in the form of Standard Webhooks (standardwebhooks.com, specification 1.0.0). Without it every receiver would need a
verifier of its own.

A secret is ``whsec_`` and base64. Several are given while one replaces another: all sign, any is accepted.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

TOLERANCE_SECONDS = 300
"""As old as a signed request may be, in both directions; more would let a recorded one be played again."""

PREFIX = "whsec_"


class SignatureWrong(ValueError):
    """The request is not signed with one of our secrets, or too old."""


def key_of(secret: str) -> bytes:
    """The key of a secret. Raises ValueError when it is none."""
    if not secret.startswith(PREFIX):
        raise ValueError(f"must begin with {PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"must be base64 after {PREFIX}") from error
    if len(key) < 24:
        raise ValueError("must hold at least 24 bytes")
    return key


def signed_headers(secrets: Sequence[str], message_id: str, body: bytes, *, at: datetime) -> dict[str, str]:
    """The headers of one message."""
    stamp = int(at.timestamp())
    signatures = " ".join(_signature(secret, message_id, stamp, body) for secret in secrets)
    return {"webhook-id": message_id, "webhook-timestamp": str(stamp), "webhook-signature": signatures}


def check_signed(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, *, machine_now: datetime) -> str:
    """The id of a message that one of the secrets signed just now. Raises SignatureWrong."""
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not stamp.isascii() or not stamp.isdecimal() or len(stamp) > 12:
        raise SignatureWrong("the signature's headers are missing")
    if abs(machine_now.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        raise SignatureWrong("the signature is too old, or of the future")
    given = headers.get("webhook-signature", "").encode("utf-8", "replace").split()
    expected = [_signature(secret, message_id, int(stamp), body).encode() for secret in secrets]
    if not any(hmac.compare_digest(one, other) for one in given[:20] for other in expected):
        raise SignatureWrong("the signature fits none of our secrets")
    return message_id


def _signature(secret: str, message_id: str, stamp: int, body: bytes) -> str:
    made = hmac.new(key_of(secret), f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(made).decode()}"
