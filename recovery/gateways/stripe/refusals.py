"""What an error of the payment call proves. Without it a rate limit after a timeout would pass for "never happened"."""

from enum import StrEnum
from typing import Final

import stripe

from recovery.gateways.stripe.fields import Json, mapping, text
from recovery.gateways.stripe.transport import NeverSent

# Where Stripe says that the payment method itself may not be used: gone, detached, or another customer's.
_METHOD_PARAMS: Final = frozenset({"payment_method", "default_payment_method", "source"})
_METHOD_CODES: Final = frozenset(
    {
        "payment_method_unactivated",
        "payment_method_unexpected_state",
        "payment_method_not_available",
        "payment_method_invalid_parameter",
        "payment_method_customer_mismatch",
        "payment_method_currency_mismatch",
    }
)


class Refusal(StrEnum):
    """What one error answer to `pay` says about money."""

    DECLINED = "declined"
    """402: the attempt was made and refused, or refused in its place."""
    METHOD_UNUSABLE = "method unusable"
    """400 about the payment method: no attempt was made."""
    REQUEST_REFUSED = "request refused"
    """Any other 400: perhaps the obligation is settled already; to be looked at."""
    NOT_SENT = "not sent"
    """Refused before anything was executed."""
    MISCONFIGURED = "misconfigured"
    """Our key or its rights were refused."""
    IN_DOUBT = "in doubt"
    """The payment may have been made, or may still be."""


def refusal_of(error: stripe.StripeError) -> Refusal:
    """What this error proves by itself, were it the only try."""
    if isinstance(error, stripe.CardError) or _asks_for_customer(error):
        return Refusal.DECLINED
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return Refusal.MISCONFIGURED
    if isinstance(error, NeverSent | stripe.RateLimitError) or error_code(error) == "lock_timeout":
        return Refusal.NOT_SENT
    # A key first used with other parameters: the other request may have charged.
    if isinstance(error, stripe.IdempotencyError) or not isinstance(error, stripe.InvalidRequestError):
        return Refusal.IN_DOUBT
    if error.http_status == 404:
        return Refusal.NOT_SENT
    about_method = error.param in _METHOD_PARAMS or error.code in _METHOD_CODES
    return Refusal.METHOD_UNUSABLE if about_method else Refusal.REQUEST_REFUSED


def pay_again(error: BaseException) -> bool:
    """Whether the same call under the same key may still bring an answer."""
    if isinstance(error, NeverSent | stripe.APIConnectionError) or in_progress(error):
        return True
    if not isinstance(error, stripe.APIError) or replayed(error):
        return False
    # Stripe says itself when a repeat would only replay the saved failure.
    wanted = error.headers.get("stripe-should-retry") != "false" if error.headers else True
    return wanted and (error.http_status or 0) >= 500 and error.http_status != 501


def in_progress(error: BaseException) -> bool:
    """409 for a request that has not ended: asking again may bring its answer."""
    conflict = isinstance(error, stripe.StripeError) and error.http_status == 409
    return conflict and error_code(error) != "lock_timeout"


def replayed(error: stripe.StripeError) -> bool:
    """Whether Stripe repeated a saved answer instead of doing anything."""
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return headers.get("idempotent-replayed") == "true"


def error_body(error: stripe.StripeError) -> Json | None:
    """The error object of the answer, if there was one."""
    return mapping(error.json_body, "error")


def error_code(error: BaseException) -> str | None:
    """Stripe's error code, which the client keeps only for some of its exceptions."""
    return text(error_body(error), "code") if isinstance(error, stripe.StripeError) else None


def brief(error: stripe.StripeError) -> str:
    """The error in one line without its message: messages may repeat what a customer typed."""
    body = error_body(error)
    fault = error.user_message if isinstance(error, stripe.APIConnectionError) else None
    request = f"request {error.request_id}" if error.request_id else None
    words = (
        str(error.http_status or ""),
        text(body, "type"),
        text(body, "code"),
        fault,
        text(body, "param"),
        request,
    )
    return " ".join(word for word in words if word) or type(error).__name__


def _asks_for_customer(error: stripe.StripeError) -> bool:
    codes = {error_code(error), text(error_body(error), "decline_code")}
    return bool(codes & {"authentication_required", "invoice_payment_intent_requires_action"})
