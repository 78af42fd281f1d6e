"""Who made the charges that paid an invoice. Without it the engine would take credit for what customers paid by themselves."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from recovery.cases.obligation import Charge, Obligation
from recovery.declines.signals import Initiator
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.fields import ident, mapping
from recovery.gateways.stripe.notices import cause_of

# The event of a charge is written within seconds of it; both clocks are Stripe's.
_BEFORE: Final = timedelta(seconds=5)
_AFTER: Final = timedelta(minutes=2)


def attributed(calls: Calls, obligation: Obligation) -> Obligation:
    """The obligation with the initiator and key of its successful charges, as far as Stripe's events tell (30 days back)."""
    charges = tuple(
        _attributed(calls, charge) if charge in obligation.succeeded else charge for charge in obligation.charges
    )
    return replace(obligation, charges=charges)


def _attributed(calls: Calls, charge: Charge) -> Charge:
    window = {
        "gte": int((charge.created_at - _BEFORE).timestamp()),
        "lte": int((charge.created_at + _AFTER).timestamp()),
    }
    params: dict[str, Any] = {"type": "charge.succeeded", "created": window}
    for event in calls.pages(calls.to("events"), params):
        if ident(mapping(event, "data", "object")) == charge.id:
            called, key = cause_of(event)
            return replace(charge, initiator=Initiator.CUSTOMER if called else Initiator.GATEWAY, idempotency_key=key)
    return charge
