"""Charges, refunds and disputes of a stretch of time, as Stripe lists them. Without it the ledger would be compared with itself."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from recovery.cases.obligation import ChargeStatus
from recovery.gateways.port import SeenCharge, SeenReversal
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.charges import charge_of, money
from recovery.gateways.stripe.fields import Json, ident, instant, text, whole
from recovery.gateways.stripe.reversals import reversal_status

# A stretch fits into memory on any account.
_STRETCH: Final = timedelta(days=1)
_UNKNOWN: Final = "xxx"


def charges_between(calls: Calls, start: datetime, end: datetime) -> Iterator[SeenCharge]:
    """The charges made from ``start`` up to, without, ``end``, whatever became of them."""
    for row in _listed(calls, calls.client.v1.charges.list, start, end):
        yield seen_charge(row)


def reversals_between(calls: Calls, start: datetime, end: datetime) -> Iterator[SeenReversal]:
    """The refunds and disputes made from ``start`` up to, without, ``end``."""
    for dispute, get in ((False, calls.client.v1.refunds.list), (True, calls.client.v1.disputes.list)):
        for row in _listed(calls, get, start, end):
            yield SeenReversal(
                id=ident(row) or "",
                dispute=dispute,
                charge_id=ident(row, "charge") or "",
                amount=money(whole(row, "amount"), text(row, "currency"), otherwise=_UNKNOWN),
                status=reversal_status(row),
                occurred_at=instant(row, "created") or start,
            )


def seen_charge(row: Json) -> SeenCharge:
    """One charge as a statement needs it."""
    at = instant(row, "created")
    assert at is not None, "a charge has an instant"
    charge = charge_of(row, currency=(text(row, "currency") or _UNKNOWN).lower(), created_at=at)
    return SeenCharge(
        id=charge.id,
        customer=ident(row, "customer"),
        amount=charge.amount,
        succeeded=charge.status is ChargeStatus.SUCCEEDED,
        created_at=at,
    )


def _listed(calls: Calls, get: Callable[[Any], object], start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    while start < end:
        upto = min(end, start + _STRETCH)
        created = {"gte": int(start.timestamp()), "lt": int(upto.timestamp())}
        yield from calls.pages(get, {"created": created}, each=True)
        start = upto
