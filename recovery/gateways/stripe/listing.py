"""Stripe's own list of events, oldest first. Without it a webhook that never arrived would be lost for ever."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from recovery.gateways.port import GatewayUnavailable, ListedObligation, Notice, PayloadRejected
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.fields import Json, ident, instant, rows, whole
from recovery.gateways.stripe.notices import KINDS, notice_of

# Stripe takes at most so many kinds in one question.
_KINDS_MAX: Final = 20
# Stripe lists newest first: a stretch is collected and turned around. Short where much happened, so that each fits into memory and
# into one run, long where little did.
_STRETCH_SECONDS_MIN: Final = 60
_STRETCH_SECONDS_FIRST: Final = 3600
_STRETCH_SECONDS_MAX: Final = 24 * 3600
_FEW, _MANY = 1_000, 4_000


def notices_since(calls: Calls, at: datetime) -> Iterator[Notice]:
    """All stored kinds since an instant, oldest first. Raises as every read; what was yielded before stays good."""
    begins = int(at.timestamp())
    newest = _newest(calls, begins)
    seconds = _STRETCH_SECONDS_FIRST
    while newest is not None and begins <= newest:
        found = _stretch(calls, {"gte": begins, "lt": begins + seconds})
        yield from found
        begins += seconds
        if len(found) < _FEW:
            seconds = min(2 * seconds, _STRETCH_SECONDS_MAX)
        elif len(found) > _MANY:
            seconds = max(seconds // 4, _STRETCH_SECONDS_MIN)


def open_obligations(calls: Calls) -> Iterator[ListedObligation]:
    """All open invoices that are charged automatically. Raises as every read."""
    params: dict[str, Any] = {"status": "open", "collection_method": "charge_automatically"}
    for row in calls.pages(calls.client.v1.invoices.list, params, each=True):
        name, made = ident(row), instant(row, "created")
        if name and made:
            yield ListedObligation(id=name, created_at=made)


def _newest(calls: Calls, begins: int) -> int | None:
    """When the list ends: asked once, so that the stretches end although events go on happening."""
    with calls.within():
        found = [_created(calls, names, begins) for names in _portions()]
    return max((created for created in found if created is not None), default=None)


def _created(calls: Calls, names: list[str], begins: int) -> int | None:
    params: dict[str, Any] = {"types": names, "created": {"gte": begins}, "limit": 1}
    return next((whole(row, "created") for row in rows(calls.read(calls.client.v1.events.list, params))), None)


def _stretch(calls: Calls, created: dict[str, int]) -> list[Notice]:
    found: list[Notice] = []
    for names in _portions():
        events = list(calls.pages(calls.client.v1.events.list, {"types": names, "created": created}, each=True))
        found.extend(_notice(event) for event in reversed(events))
    return sorted(found, key=lambda notice: notice.created_at)


def _notice(event: Json) -> Notice:
    try:
        return notice_of(event)
    except PayloadRejected as error:
        raise GatewayUnavailable(f"the list of events could not be read: {error}") from None


def _portions() -> list[list[str]]:
    names = sorted(KINDS)
    return [names[start : start + _KINDS_MAX] for start in range(0, len(names), _KINDS_MAX)]
