"""Searches Stripe's list of events around one moment. Without it one question would page through a busy account's whole day.

The list knows no filter by object or key. So a question names a narrow stretch of time and few kinds, and on an account where even
that holds thousands of events the search ends unfinished rather than never: whoever asks has another, weaker sign to go by.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from recovery.gateways.stripe.calls import Calls

# A charge's event is written within seconds of it; both clocks are Stripe's. Looked at outwards, in seconds from the charge.
_NEAR: Final = ((-5, 5), (6, 30), (31, 120))
# So many events are read in any case: if there is no time for them, the gateway is ill and not the account busy.
_ROWS_LEAST: Final = 2_000
# The part of a call's bound in which no further page is begun: one page takes as long at most (20 s of 60 s).
_KEPT: Final = 1 / 3


def near(made_at: datetime) -> Iterator[dict[str, int]]:
    """The stretches of time in which a charge's own events are looked for, the likeliest first."""
    at = int(made_at.timestamp())
    return ({"gte": at + first, "lte": at + last} for first, last in _NEAR)


class Search:
    """One question to the list of events, over as many stretches as it takes, within the bound of the call around it."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._rows = 0

    def events(self, kinds: tuple[str, ...], created: dict[str, int]) -> Iterator[dict[str, Any]]:
        """The events of a stretch, newest first, or so many of them as time allows. Raises as every read."""
        params: dict[str, Any] = {"types": list(kinds), "created": created}
        if self._is_over():
            return
        for event in self._calls.pages(self._calls.to("events"), params):
            yield event
            self._rows += 1
            if self._is_over():
                return

    def _is_over(self) -> bool:
        if self._rows < _ROWS_LEAST:
            return False
        return self._calls.remaining_seconds() < self._calls.limits.bound_seconds * _KEPT
