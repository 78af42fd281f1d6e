"""Making and ending subscriptions and invoices, by whomever.

Without these steps apart from the HTTP handlers, the world, the tests and the API would each build invoices in
another way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json, invalid, locked
from recovery.simulation.sandbox.events import emit
from recovery.simulation.sandbox.ledger import Cause
from recovery.simulation.sandbox.settling import change, refresh_standing
from recovery.simulation.sandbox.shapes import intent_of
from recovery.simulation.sandbox.templates import build

_PERIOD_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}  # only shown, never charged by


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a subscription costs: minor units per interval (`month`, `year` …)."""

    amount_minor: int
    currency: str
    interval: str = "month"
    billing_reason: str = "subscription_cycle"
    """Why an invoice over it is made; without a subscription it is always `manual`."""


def new_subscription(core: Core, customer: str, terms: Terms, cause: Cause, *, method: str | None = None) -> Json:
    """An active subscription with one item."""
    store, now = core.store, cause.timestamp
    price = build(
        "price",
        store.new_id("price", customer),
        created=now,
        currency=terms.currency,
        product=store.new_id("prod", customer),
        unit_amount=terms.amount_minor,
        recurring={"interval": terms.interval, "interval_count": 1, "usage_type": "licensed"},
    )
    subscription_id = store.new_id("sub", customer)
    item = build(
        "subscription_item",
        store.new_id("si", customer),
        created=now,
        current_period_start=now,
        current_period_end=int((cause.at + timedelta(days=_PERIOD_DAYS[terms.interval])).timestamp()),
        price=price,
        subscription=subscription_id,
    )
    subscription = build(
        "subscription",
        subscription_id,
        billing_cycle_anchor=now,
        created=now,
        currency=terms.currency,
        customer=customer,
        default_payment_method=method,
        start_date=now,
    )
    subscription["items"]["data"] = [item]
    store.add(subscription)
    emit(core, cause, "customer.subscription.created", subscription)
    return subscription


def new_invoice(
    core: Core,
    customer: Json,
    terms: Terms,
    cause: Cause,
    *,
    subscription: str | None = None,
) -> Json:
    """A draft invoice of one line, renewing a subscription if one is named."""
    store, now = core.store, cause.timestamp
    invoice_id = store.new_id("in", customer["id"])
    parent = None
    if subscription is not None:
        details = {"metadata": {}, "subscription": subscription}
        parent = {"quote_details": None, "subscription_details": details, "type": "subscription_details"}
    invoice = build(
        "invoice",
        invoice_id,
        billing_reason=terms.billing_reason if subscription else "manual",
        created=now,
        currency=terms.currency,
        customer=customer["id"],
        customer_address=customer["address"],
        customer_email=customer["email"],
        customer_name=customer["name"],
        parent=parent,
        period_start=now,
        period_end=now,
    )
    store.add(invoice)
    if terms.amount_minor:
        add_line(core, invoice, terms.amount_minor, "Subscription")
    emit(core, cause, "invoice.created", invoice)
    return invoice


def add_line(core: Core, invoice: Json, amount_minor: int, description: str) -> Json:
    """One more amount on a draft. Raises Refused (400) once it is finalized."""
    if invoice["status"] != "draft":
        raise invalid("This invoice is no longer editable", code="invoice_not_editable")
    line = build(
        "line_item",
        core.store.new_id("il", invoice["id"]),
        amount=amount_minor,
        currency=invoice["currency"],
        description=description,
        invoice=invoice["id"],
    )
    invoice["lines"]["data"].append(line)
    for name in ("amount_due", "amount_remaining", "subtotal", "total"):
        invoice[name] += amount_minor
    return line


def finalize(core: Core, invoice: Json, cause: Cause) -> Json:
    """Open a draft. Raises Refused (400) for any other."""
    if invoice["status"] != "draft":
        raise invalid("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    invoice["status_transitions"]["finalized_at"] = cause.timestamp
    invoice.update(
        status="open",
        effective_at=cause.timestamp,
        number=f"SANDBOX-{core.store.count('invoice'):06d}",
        hosted_invoice_url=f"{core.base_url}/pages/invoice/{invoice['id']}",
    )
    emit(core, cause, "invoice.finalized", invoice)
    return invoice


def end_invoice(core: Core, invoice: Json, status: str, cause: Cause) -> Json:
    """Void an invoice, or mark it uncollectible.

    Raises Refused: 400 unless it is open (void: or uncollectible), 429 while a payment of it is under way.
    """
    allowed = ("open", "uncollectible") if status == "void" else ("open",)
    if invoice["id"] in core.store.busy:
        raise locked(saved=core.options.saves_lock_timeouts)
    if invoice["status"] not in allowed:
        raise invalid(f"You can only pass in open invoices. This invoice isn't open: {invoice['status']}")
    transition, kind = {
        "void": ("voided_at", "invoice.voided"),
        "uncollectible": ("marked_uncollectible_at", "invoice.marked_uncollectible"),
    }[status]
    invoice["status_transitions"][transition] = cause.timestamp
    change(core, cause, "invoice.updated", invoice, status=status, auto_advance=False, next_payment_attempt=None)
    emit(core, cause, kind, invoice)
    intent = intent_of(core.store, invoice["id"])
    if status == "void" and intent is not None:
        intent.update(status="canceled", canceled_at=cause.timestamp, cancellation_reason="void_invoice")
        link = core.store.link_of_intent[intent["id"]]
        link["status"] = "canceled"
        link["status_transitions"]["canceled_at"] = cause.timestamp
    refresh_standing(core, invoice, cause)
    return invoice


def cancel_subscription(core: Core, subscription: Json, cause: Cause, *, reason: str, feedback: str | None) -> Json:
    """End it now; open invoices stay open but are no longer collected. Raises Refused (404) when it has ended."""
    if subscription["status"] == "canceled":
        raise invalid(f"No such subscription: '{subscription['id']}'", code="resource_missing", status=404)
    details = {"comment": None, "feedback": feedback, "reason": reason}
    subscription.update(
        status="canceled",
        canceled_at=cause.timestamp,
        ended_at=cause.timestamp,
        cancellation_details=details,
    )
    emit(core, cause, "customer.subscription.deleted", subscription)
    return subscription
