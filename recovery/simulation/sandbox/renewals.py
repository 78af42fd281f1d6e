"""The gateway's own attempts: the first one at a renewal, and its retries when they are on.

Without them no failure would ever start, and an engine that shares a customer with the gateway's own retries
could not be caught at it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from recovery.simulation.sandbox.billing import Terms, finalize, new_invoice
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json
from recovery.simulation.sandbox.ledger import Cause
from recovery.simulation.sandbox.orders import PayOrder
from recovery.simulation.sandbox.paying import attempt
from recovery.simulation.sandbox.settling import change


def renew(core: Core, subscription: Json, cause: Cause, *, terms: Terms) -> Json:
    """A renewal invoice is made, finalized and tried once. Hold the store's lock. Returns the invoice."""
    customer = core.store.get("customer", subscription["customer"])
    invoice = new_invoice(core, customer, terms, cause, subscription=subscription["id"])
    subscription["latest_invoice"] = invoice["id"]
    finalize(core, invoice, cause)
    first_attempt(core, invoice, cause)
    return invoice


def first_attempt(core: Core, invoice: Json, cause: Cause) -> None:
    """The gateway tries once; if that fails and its retries are on, it plans the next."""
    attempt(core, PayOrder(invoice=invoice["id"], cause=cause))
    _plan_retry(core, invoice, cause, number=0)


def _plan_retry(core: Core, invoice: Json, cause: Cause, *, number: int) -> None:
    days = core.options.gateway_retry_days
    if number >= len(days) or invoice["status"] != "open" or not invoice["auto_advance"]:
        return
    due_at = cause.at + timedelta(days=days[number])
    # Stripe tells it in invoice.updated; the invoice.payment_failed before does not have it yet.
    change(core, cause, "invoice.updated", invoice, next_payment_attempt=int(due_at.timestamp()))
    core.agenda.add(due_at, f"retry/{invoice['id']}", lambda at: _retry(core, invoice, at, number=number))


def _retry(core: Core, invoice: Json, at: datetime, *, number: int) -> None:
    if invoice["status"] != "open" or not invoice["auto_advance"]:
        return
    cause = Cause(initiator="gateway", at=at)
    invoice["next_payment_attempt"] = None
    attempt(core, PayOrder(invoice=invoice["id"], cause=cause))
    _plan_retry(core, invoice, cause, number=number + 1)
