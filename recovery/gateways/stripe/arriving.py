"""When a charge's money came. Without it a payment that was processing for days would count in the month it was begun."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from recovery.cases.obligation import Charge, ChargeStatus
from recovery.gateways.stripe.fields import Json, ident, instant

# A card is answered within the call; Stripe notes the payment some seconds after the charge. Whatever is later was processing.
_AT_ONCE: Final = timedelta(minutes=10)


def paid_instants(invoice: Json, payments: Iterable[Json]) -> dict[str, datetime]:
    """When each payment intent was paid, as the invoice's payments say; older shapes know the invoice's own instant only."""
    found = {
        intent: at
        for payment in payments
        if (intent := ident(payment, "payment", "payment_intent"))
        and (at := instant(payment, "status_transitions", "paid_at"))
    }
    whole, intent = instant(invoice, "status_transitions", "paid_at"), ident(invoice, "payment_intent")
    return {intent: whole} | found if whole is not None and intent is not None else found


def brought(charges: Sequence[Charge], raw: Iterable[Json], paid: Mapping[str, datetime]) -> tuple[Charge, ...]:
    """The charges, those that succeeded long after they were made with the instant at which they did."""
    intents = {ident(charge): ident(charge, "payment_intent") for charge in raw}
    return tuple(_brought(charge, paid.get(intents.get(charge.id) or "")) for charge in charges)


def _brought(charge: Charge, at: datetime | None) -> Charge:
    late = at is not None and charge.status is ChargeStatus.SUCCEEDED and at - charge.created_at > _AT_ONCE
    return replace(charge, succeeded_at=at) if late else charge
