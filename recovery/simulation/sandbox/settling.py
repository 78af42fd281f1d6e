"""What follows from a payment's outcome: invoice, subscription, customer and the events about them.

Without the same follow-ups as the real gateway's, an engine that only reacts to `invoice.paid`, or only to the
answer of its own call, would look complete.
"""

from __future__ import annotations

from recovery.simulation.answers import Answer, Verdict
from recovery.simulation.sandbox.charges import capture
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json, JsonValue
from recovery.simulation.sandbox.events import emit
from recovery.simulation.sandbox.ledger import Cause
from recovery.simulation.sandbox.shapes import intent_of, subscription_of


def change(core: Core, cause: Cause, kind: str, thing: Json, **fields: JsonValue) -> None:
    """Change fields of an object and tell it, with the previous values; nothing changed, nothing told."""
    changed = _before(thing, fields)
    if changed:
        thing.update(fields)
        emit(core, cause, kind, thing, changed=changed)


def _before(thing: Json, fields: Json) -> Json:
    """What differs, as it was; of an object within only what differs there."""
    found = {}
    for name, value in fields.items():
        old = thing.get(name)
        if old != value:
            found[name] = _before(old, value) if isinstance(old, dict) and isinstance(value, dict) and old else old
    return found


def paid(core: Core, invoice: Json, cause: Cause, *, charge: Json | None) -> None:
    """The invoice is settled, by a charge or (without one) outside the gateway."""
    if charge is not None:
        _paid_by(core, invoice, charge, cause)
    invoice["status_transitions"]["paid_at"] = cause.timestamp
    amount = invoice["amount_remaining"]
    change(
        core,
        cause,
        "invoice.updated",
        invoice,
        status="paid",
        amount_paid=invoice["amount_paid"] + amount,
        amount_remaining=0,
        attempted=True,
        auto_advance=False,
        next_payment_attempt=None,
    )
    emit(core, cause, "invoice.paid", invoice)
    emit(core, cause, "invoice.payment_succeeded", invoice)
    refresh_standing(core, invoice, cause)


def _paid_by(core: Core, invoice: Json, charge: Json, cause: Cause) -> None:
    capture(core, charge, cause)
    emit(core, cause, "charge.succeeded", charge)
    intent = intent_of(core.store, invoice["id"])
    if intent is None:
        return
    intent.update(status="succeeded", amount_received=charge["amount"], last_payment_error=None, next_action=None)
    intent["payment_method"] = charge["payment_method"]
    emit(core, cause, "payment_intent.succeeded", intent)
    link = core.store.link_of_intent[intent["id"]]
    link.update(status="paid", amount_paid=charge["amount"])
    link["status_transitions"]["paid_at"] = cause.timestamp
    emit(core, cause, "invoice_payment.paid", link)


def failed(core: Core, invoice: Json, cause: Cause, *, charge: Json, answer: Answer) -> None:
    """A declined attempt: everything that Stripe tells about it."""
    emit(core, cause, "charge.failed", charge)
    intent = intent_of(core.store, invoice["id"])
    if intent is not None:
        emit(core, cause, "payment_intent.payment_failed", intent)
    emit(core, cause, "invoice.payment_failed", invoice)
    if answer.verdict is Verdict.AUTHENTICATION:
        emit(core, cause, "invoice.payment_action_required", invoice)
    refresh_standing(core, invoice, cause)


def refresh_standing(core: Core, invoice: Json, cause: Cause) -> None:
    """Subscription past due or active, customer delinquent or not, from what is still open."""
    unpaid = [
        row
        for row in core.store.newest("invoice", "customer", invoice["customer"])
        if row["status"] in ("open", "uncollectible") and row["attempted"]
    ]
    customer = core.store.get("customer", invoice["customer"])
    change(core, cause, "customer.updated", customer, delinquent=bool(unpaid))
    name = subscription_of(invoice)
    if name is None:
        return
    subscription = core.store.get("subscription", name)
    if subscription["status"] not in ("active", "past_due", "unpaid"):
        return
    still = any(subscription_of(row) == name for row in unpaid)
    change(core, cause, "customer.subscription.updated", subscription, status="past_due" if still else "active")
