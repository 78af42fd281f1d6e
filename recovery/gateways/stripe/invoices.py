"""An invoice's JSON, old shape or new, as an obligation. Without it each room would know which API version it is in.

Old: ``charge``, ``payment_intent``, ``paid``, ``subscription`` on the invoice. Since 2025-03-31 (basil):
``payments.data[].payment`` and ``parent.subscription_details.subscription``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from recovery.cases.obligation import Charge, Obligation, ObligationStatus
from recovery.gateways.port import GatewayRefused
from recovery.gateways.stripe.cards import card_of_method
from recovery.gateways.stripe.charges import money
from recovery.gateways.stripe.fields import Json, flag, ident, instant, mapping, part, rows, text, whole

# A subscription in one of these states will never renew again.
_DEAD_SUBSCRIPTION: Final = frozenset({"canceled", "incomplete_expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What had to be read beside the invoice itself."""

    charges: tuple[Charge, ...] = ()
    last_charge: Json | None = None
    intents: tuple[Json, ...] = ()
    subscription: Json | None = None
    method: Json | None = field(default=None)
    """The payment method that the next payment would use by default."""


def obligation_of_invoice(invoice: Json, around: Surroundings) -> Obligation:
    """The obligation. Raises GatewayRefused when id, currency or status cannot be read at all."""
    name, currency = text(invoice, "id"), currency_of(invoice)
    if name is None:
        raise GatewayRefused("the invoice could not be read: it has no id")
    left = whole(invoice, "amount_remaining")
    if left is None:
        left = (whole(invoice, "amount_due") or 0) - (whole(invoice, "amount_paid") or 0)
    status = status_of(invoice)
    return Obligation(
        id=name,
        customer=ident(invoice, "customer") or "",
        status=status,
        remaining=money(left, currency, otherwise=currency),
        livemode=flag(invoice, "livemode"),
        charge_automatically=_collection(invoice) == "charge_automatically",
        billing_reason=text(invoice, "billing_reason"),
        created_at=created_at(invoice),
        subscription=subscription_of(invoice),
        subscription_live=text(around.subscription, "status") not in _DEAD_SUBSCRIPTION,
        pays_by_card=_pays_by_card(invoice, around),
        paid_at=instant(invoice, "status_transitions", "paid_at"),
        paid_out_of_band=status is ObligationStatus.PAID and _paid_elsewhere(invoice, around.charges),
        gateway_retry_at=instant(invoice, "next_payment_attempt"),
        awaits_customer=any(text(intent, "status") == "requires_action" for intent in around.intents),
        subscribed_at=instant(around.subscription, "start_date") or instant(around.subscription, "created"),
        trial_ended_at=instant(around.subscription, "trial_end"),
        interval=_interval(around.subscription),
        interval_count=_interval_count(around.subscription),
        country=text(invoice, "customer_address", "country"),
        region=text(invoice, "customer_address", "state"),
        card=card_of_method(around.method),
        charges=around.charges,
    )


def status_of(invoice: Json) -> ObligationStatus:
    """The status; very old invoices have none but ``paid`` and ``closed``. Raises GatewayRefused for an unknown one."""
    named = text(invoice, "status")
    if named is None:
        return ObligationStatus.PAID if flag(invoice, "paid") else ObligationStatus.OPEN
    try:
        return ObligationStatus(named)
    except ValueError:
        raise GatewayRefused(f"the invoice has an unknown status: {named[:40]!r}") from None


def subscription_of(invoice: Json) -> str | None:
    """The subscription that an invoice is for, in either shape."""
    return ident(invoice, "parent", "subscription_details", "subscription") or ident(invoice, "subscription")


def currency_of(invoice: Json) -> str:
    """The invoice's currency in lower case. Raises GatewayRefused if there is none: amounts would mean nothing."""
    named = (text(invoice, "currency") or "").lower()
    if len(named) != 3 or not named.isascii() or not named.isalpha():
        raise GatewayRefused("the invoice could not be read: it has no currency")
    return named


def created_at(invoice: Json) -> datetime:
    """When the invoice was made; the epoch where Stripe leaves it out, so that it sorts as the oldest."""
    return instant(invoice, "created") or datetime.fromtimestamp(0, tz=UTC)


def intents_of(invoice: Json, payments: Sequence[Json]) -> tuple[Json, ...]:
    """The payment intents, bare ids given as ``{"id": …}``, in the order of the payments and each once."""
    found = [part(payment, "payment", "payment_intent") for payment in payments]
    found.append(part(invoice, "payment_intent"))
    first: dict[str, Json] = {}
    for one in found:
        intent = one if isinstance(one, Mapping) else {"id": one}
        if (name := text(intent, "id")) is not None:
            first.setdefault(name, intent)  # an expanded one comes before the bare id of the old shape
    return tuple(first.values())


def lone_charges_of(invoice: Json, payments: Sequence[Json]) -> tuple[str, ...]:
    """Ids of the charges that belong to no payment intent as far as the invoice shows."""
    found = [ident(payment, "payment", "charge") for payment in payments]
    found.append(ident(invoice, "charge"))
    return tuple(dict.fromkeys(charge for charge in found if charge))


def _interval(subscription: Json | None) -> str | None:
    """How often the subscription renews: ``month``, ``year`` …; by its price, or its plan in old shapes."""
    items = [*rows(subscription, "items"), {"plan": part(subscription, "plan")}]
    found = (text(one, "price", "recurring", "interval") or text(one, "plan", "interval") for one in items)
    return next((each for each in found if each), None)


def _interval_count(subscription: Json | None) -> int:
    """How many of these intervals one renewal pays for."""
    items = [*rows(subscription, "items"), {"plan": part(subscription, "plan")}]
    paths = (("price", "recurring"), ("plan",))
    found = (whole(one, *path, "interval_count") for one in items for path in paths)
    return next((each for each in found if each and each > 0), 1)


def _collection(invoice: Json) -> str | None:
    return text(invoice, "collection_method") or text(invoice, "billing")


def _pays_by_card(invoice: Json, around: Surroundings) -> bool:
    """By the default method if there is one, else by what the last payment used, else by what is allowed."""
    if around.method is not None:
        return card_of_method(around.method) is not None
    used = text(around.last_charge, "payment_method_details", "type")
    if used is not None:
        return used == "card"
    allowed = part(around.intents[-1], "payment_method_types") if around.intents else None
    if allowed is None:
        allowed = part(invoice, "payment_settings", "payment_method_types")
    return "card" in allowed if isinstance(allowed, list) and allowed else True


def _paid_elsewhere(invoice: Json, charges: Sequence[Charge]) -> bool:
    """Whether the merchant wrote the invoice off as paid by other means."""
    if flag(invoice, "paid_out_of_band") or (whole(invoice, "amount_paid_off_stripe") or 0) > 0:
        return True
    recorded = any(text(row, "payment", "type") == "payment_record" for row in rows(invoice, "payments"))
    if recorded or mapping(invoice, "payments") is None:
        return recorded
    return (whole(invoice, "amount_due") or 0) > 0 and not any(one.status == "succeeded" for one in charges)
