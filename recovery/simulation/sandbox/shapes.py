"""The same object in Stripe's newer and older shape.

Without both, reading events of an endpoint that was registered years ago would be untested: before basil an
invoice named its charge, its payment intent and its subscription, and a charge named its invoice.
"""

from __future__ import annotations

from recovery.simulation.sandbox.errors import Json
from recovery.simulation.sandbox.settings import Shape
from recovery.simulation.sandbox.store import Store
from recovery.simulation.sandbox.templates import fresh


def shown(store: Store, thing: Json, shape: Shape) -> Json:
    """A copy of a stored object as the API shows it in that shape."""
    copy: Json = fresh(thing)
    if shape == "legacy":
        adapt = _LEGACY.get(copy["object"])
        if adapt is not None:
            adapt(store, copy)
    return copy


def intent_of(store: Store, invoice_id: str) -> Json | None:
    """The payment intent behind an invoice, through its latest invoice payment."""
    for link in store.newest("invoice_payment", "invoice", invoice_id):
        return store.find("payment_intent", link["payment"]["payment_intent"])
    return None


def invoice_of(store: Store, intent_id: str | None) -> str | None:
    """The invoice a payment intent pays, or None for a payment without one."""
    if intent_id is None:
        return None
    link = store.link_of_intent.get(intent_id)
    return None if link is None else str(link["invoice"])


def subscription_of(invoice: Json) -> str | None:
    """The subscription of a stored invoice, or None."""
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    found = details.get("subscription")
    return None if found is None else str(found)


def _legacy_invoice(store: Store, copy: Json) -> None:
    intent = intent_of(store, copy["id"])
    copy["subscription"] = subscription_of(copy)
    del copy["parent"]
    copy["paid"] = copy["status"] == "paid"
    copy["payment_intent"] = intent["id"] if intent else None
    copy["charge"] = intent["latest_charge"] if intent else None


def _legacy_payment(store: Store, copy: Json) -> None:
    intent_id = copy["id"] if copy["object"] == "payment_intent" else copy["payment_intent"]
    copy["invoice"] = invoice_of(store, intent_id)


def _legacy_subscription(_: Store, copy: Json) -> None:
    for item in copy["items"]["data"][:1]:
        copy["current_period_start"] = item["current_period_start"]
        copy["current_period_end"] = item["current_period_end"]


_LEGACY = {
    "invoice": _legacy_invoice,
    "charge": _legacy_payment,
    "payment_intent": _legacy_payment,
    "subscription": _legacy_subscription,
}
