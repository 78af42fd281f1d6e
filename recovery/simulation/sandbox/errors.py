"""Stripe's error bodies.

Without the exact form the real client would raise other exception classes here than in production, and the
engine's handling of declines, misuse and overload would be tested against a fiction.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
JsonValue = Any
"""Whatever may stand in a JSON document; its shape is Stripe's, not ours."""


class Refused(Exception):
    """A request ends with an error answer.

    `saved` tells whether an idempotency key keeps this answer: requests that never started executing keep nothing.
    """

    def __init__(self, status: int, error: Json, *, saved: bool = True, should_retry: bool | None = None) -> None:
        super().__init__(str(error.get("message", "")))
        self.status = status
        self.body: Json = {"error": error}
        self.saved = saved
        self.should_retry = should_retry


def invalid(message: str, *, code: str | None = None, param: str | None = None, status: int = 400) -> Refused:
    """A request that is wrong in itself (`invalid_request_error`)."""
    error: Json = {"message": message, "type": "invalid_request_error"}
    if code is not None:
        error["code"] = code
        error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
    if param is not None:
        error["param"] = param
    return Refused(status, error)


def no_such(kind: str, object_id: str, *, param: str = "id", status: int = 404) -> Refused:
    """An object that does not exist: 404 when the path names it, 400 when a parameter does."""
    return invalid(f"No such {kind}: '{object_id}'", code="resource_missing", param=param, status=status)


def unsupported(message: str, *, param: str | None = None) -> Refused:
    """501: the sandbox does not speak this; nothing is ever silently ignored."""
    error: Json = {"message": message, "type": "invalid_request_error", "code": "sandbox_unsupported"}
    if param is not None:
        error["param"] = param
    return Refused(501, error, saved=False, should_retry=False)


def wrong_key(key: str) -> Refused:
    """401; only the key's first characters are repeated."""
    message = f"Invalid API Key provided: {key[:7]}****" if key else "You did not provide an API key."
    return Refused(401, {"message": message, "type": "invalid_request_error"}, saved=False)


def not_permitted() -> Refused:
    """403: the key may not do this."""
    message = "The provided key does not have the required permissions for this endpoint."
    return Refused(403, {"message": message, "type": "invalid_request_error"}, saved=False)


def rate_limited() -> Refused:
    """429 before anything was executed."""
    error = {"message": "Request rate limit exceeded.", "type": "invalid_request_error", "code": "rate_limit"}
    return Refused(429, error, saved=False)


def locked(*, saved: bool) -> Refused:
    """429: another request is working on the same object."""
    message = (
        "This object cannot be accessed right now because another API request or Stripe process is currently "
        "accessing it. If you see this error intermittently, retry the request."
    )
    error = {"message": message, "type": "invalid_request_error", "code": "lock_timeout"}
    return Refused(429, error, saved=saved, should_retry=True)


def key_in_use(key: str) -> Refused:
    """409: the first request with this idempotency key has not ended."""
    message = f"There is currently another in-progress request using this Idempotent Key: {key}."
    error = {"message": message, "type": "idempotency_error", "code": "idempotency_key_in_use"}
    return Refused(409, error, saved=False)


def key_mismatch(key: str) -> Refused:
    """400: the key was first used with other parameters."""
    message = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    return Refused(400, {"message": message, "type": "idempotency_error"}, saved=False)


def server_error() -> Refused:
    """500, which an idempotency key keeps and replays."""
    message = "An unknown error occurred."
    return Refused(500, {"message": message, "type": "api_error"}, should_retry=False)
