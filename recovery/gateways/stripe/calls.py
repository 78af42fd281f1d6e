"""Every call to Stripe, repeated inside one bound. Without it each read would have its own idea of patience and of errors."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import stripe
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential, wait_random

from recovery.gateways.port import GatewayError, GatewayMisconfigured, GatewayRefused, GatewayUnavailable, NotFound
from recovery.gateways.stripe.fields import Json, ident, rows
from recovery.gateways.stripe.refusals import brief, in_progress
from recovery.gateways.stripe.transport import Limits, NeverSent, Transport

# Stripe's own maximum for one page.
_PAGE_ROWS: Final = 100
# The first wait and the longest between tries: long enough for a hiccup, short against the bound.
_FIRST_WAIT_SECONDS: Final = 0.5
_WAIT_SECONDS_MAX: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """Machine time, as the repeats use it."""

    sleep: Callable[[float], None]
    monotonic: Callable[[], float]


class Calls:
    """The Stripe client with deadlines, repeats and the port's errors."""

    def __init__(self, client: stripe.StripeClient, transport: Transport, *, limits: Limits, time: Time) -> None:
        self.client = client
        self.limits = limits
        self._transport = transport
        self._time = time

    def within(self, seconds: float | None = None) -> AbstractContextManager[None]:
        """All calls inside share one bound; without a number the whole bound of a call."""
        return self._transport.within(self.limits.bound_seconds if seconds is None else seconds)

    def to(self, *path: str) -> Callable[..., object]:
        """A read of what lies at a path, for ``read`` and ``pages``. Its answer stays plain JSON: to make objects of it as the client's
        own methods do, and JSON of them again, took longer than the call.
        """
        address = "/".join(("/v1", *(quote(part, safe="") for part in path)))
        return lambda params=None: self.client.raw_request("get", address, **(params or {}))

    def remaining_seconds(self) -> float:
        """What is left of the bound around this call."""
        return self._transport.remaining_seconds()

    def read(self, get: Callable[..., object], *arguments: object) -> dict[str, Any]:
        """One read as plain JSON, repeated while it may help.

        Raises GatewayUnavailable, GatewayMisconfigured, GatewayRefused, NotFound.
        """
        try:
            return self.repeating(lambda: plain(get(*arguments)), again=_read_again)
        except stripe.StripeError as error:
            # Without the cause: a Stripe exception carries the whole body, which a traceback must not show.
            raise _port_error(error) from None

    def page(
        self, get: Callable[[Any], object], params: dict[str, Any], *, behind: str | None
    ) -> tuple[list[Json], str | None]:
        """One page of a list behind an id, and the id to go on behind; None after the last page. Raises as ``read``."""
        after = {} if behind is None else {"starting_after": behind}
        page = self.read(get, {**params, "limit": _PAGE_ROWS, **after})
        found = list(rows(page))
        return found, ident(found[-1]) if found and page.get("has_more") is True else None

    def pages(
        self, get: Callable[[Any], object], params: dict[str, Any], *, each: bool = False
    ) -> Iterator[dict[str, Any]]:
        """All rows of a list, newest first as Stripe gives them, page by page. Raises as ``read``.

        ``each`` page has a bound of its own, for lists whose length depends on the account; else the caller's covers all.
        """
        behind: str | None = None
        while True:
            with self.within() if each else nullcontext():
                found, behind = self.page(get, params, behind=behind)
            yield from (dict(row) for row in found)
            if behind is None:
                return

    def repeating(
        self, call: Callable[[], dict[str, Any]], *, again: Callable[[BaseException], bool]
    ) -> dict[str, Any]:
        """Call, and call again while ``again`` says that it may help and a further try still fits into the bound."""
        retrying = Retrying(
            sleep=self._time.sleep,
            wait=wait_exponential(multiplier=_FIRST_WAIT_SECONDS, max=_WAIT_SECONDS_MAX)
            + wait_random(0, _FIRST_WAIT_SECONDS),
            stop=self._stop,
            retry=retry_if_exception(again),
            reraise=True,
        )
        return retrying(call)

    def _stop(self, state: RetryCallState) -> bool:
        left = self._transport.remaining_seconds() - state.upcoming_sleep
        return state.attempt_number >= self.limits.tries_max or left < self.limits.least_try_seconds


def plain(answer: object) -> dict[str, Any]:
    """An answer of the client, bare or made an object, as plain JSON. Raises stripe.APIError when it was no object."""
    if isinstance(answer, stripe.StripeObject):
        return answer.to_dict()
    found = getattr(answer, "data", None)
    if not isinstance(found, dict):
        raise stripe.APIError("the answer is no object")
    return found


def _read_again(error: BaseException) -> bool:
    if isinstance(error, NeverSent | stripe.APIConnectionError | stripe.RateLimitError):
        return True
    # 501: this server will never know the endpoint.
    status = error.http_status if isinstance(error, stripe.APIError) else None
    return in_progress(error) or (status is not None and status >= 500 and status != 501)


def _port_error(error: stripe.StripeError) -> GatewayError:
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return GatewayMisconfigured(brief(error))
    if error.http_status == 404 or error.code == "resource_missing":
        return NotFound(brief(error))
    if isinstance(error, stripe.InvalidRequestError) and error.http_status == 400 and not in_progress(error):
        return GatewayRefused(brief(error))
    return GatewayUnavailable(brief(error))
