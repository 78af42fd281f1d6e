"""The gateway's fees, read from its balance and booked. Without them net revenue would leave out what every charge costs."""

from datetime import timedelta
from typing import Final

import structlog

from recovery.cases.facts import FeeCharged
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.gateways.port import Fee, Gateway, NotFound
from recovery.money import Money
from recovery.storage.connect import reading
from recovery.storage.fee_queries import charges_without_fee

log = structlog.get_logger(__name__)

LOOKED_FOR: Final = timedelta(days=62)
"""How long a charge without a fee is asked after: two months, so that a month can be closed with its fees."""


def fee_charged(fee: Fee, *, ref: str | None = None) -> FeeCharged:
    """The fact that a line of the gateway's balance states; ``ref`` is the charge where the line is the charge's own."""
    amount = Money(minor=abs(fee.amount.minor), currency=fee.amount.currency)
    return FeeCharged(
        ref=ref or fee.id,
        charge_id=fee.charge_id,
        amount=amount,
        at=fee.occurred_at,
        returned=fee.amount.minor < 0,
    )


def book_fees(door: Door, gateway: Gateway, *, limit: int) -> int:
    """Book the fees of recovered charges that have none yet; how many were booked.

    Raises GatewayUnavailable and GatewayMisconfigured: what was booked stays, the rest is asked for the next time.
    """
    with reading(door.database) as tx:
        now = door.moment().now
        waiting = charges_without_fee(tx, since=now - LOOKED_FOR, now=now, limit=limit)
    booked = 0
    for case_id, charge in waiting:
        try:
            fee = gateway.read_fee(charge)
        except NotFound:
            log.warning("charge_not_found", case=case_id, charge=charge)
            continue
        if fee is not None:
            advance(door, case_id, fee_charged(fee, ref=charge))
            booked += 1
    return booked
