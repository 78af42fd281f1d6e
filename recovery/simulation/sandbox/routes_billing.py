"""Handlers: subscriptions, invoices, invoice items and invoice payments.

Without them there would be no obligation to collect, and no way from a payment back to its invoice.
"""

from __future__ import annotations

from recovery.simulation.sandbox.billing import (
    Terms,
    add_line,
    cancel_subscription,
    end_invoice,
    finalize,
    new_invoice,
    new_subscription,
)
from recovery.simulation.sandbox.calls import Call, Handler
from recovery.simulation.sandbox.errors import Json, invalid
from recovery.simulation.sandbox.form import as_bool, as_int
from recovery.simulation.sandbox.settling import change
from recovery.simulation.sandbox.shapes import subscription_of


def _required(call: Call, name: str) -> str:
    if not call.params.get(name):
        raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return str(call.params[name])


def _create_subscription(call: Call) -> Json:
    store = call.core.store
    customer = store.get("customer", _required(call, "customer"), param="customer")
    items = call.params.get("items", {})
    if list(items) != ["0"] or "price_data" not in items["0"]:
        raise invalid("The sandbox sells one item with price_data.", param="items")
    data = items["0"]["price_data"]
    terms = Terms(
        amount_minor=as_int(data.get("unit_amount", ""), "items[0][price_data][unit_amount]"),
        currency=str(data.get("currency", "usd")).lower(),
        interval=data.get("recurring", {}).get("interval", "month"),
    )
    method = call.params.get("default_payment_method")
    if method:
        store.get("payment_method", method, param="default_payment_method")
    made = new_subscription(call.core, customer["id"], terms, call.cause, method=method)
    made["metadata"] = call.params.get("metadata", {})
    return call.show(made)


def _retrieve_subscription(call: Call) -> Json:
    return call.show(call.core.store.get("subscription", call.ids[0]))


def _update_subscription(call: Call) -> Json:
    subscription = call.core.store.get("subscription", call.ids[0])
    fields: Json = {}
    if "default_payment_method" in call.params:
        name = call.params["default_payment_method"] or None
        if name:
            call.core.store.get("payment_method", name, param="default_payment_method")
        fields["default_payment_method"] = name
    if "cancel_at_period_end" in call.params:
        fields["cancel_at_period_end"] = as_bool(call.params["cancel_at_period_end"], "cancel_at_period_end")
    if "metadata" in call.params:
        fields["metadata"] = subscription["metadata"] | call.params["metadata"]
    change(call.core, call.cause, "customer.subscription.updated", subscription, **fields)
    return call.show(subscription)


def _cancel_subscription(call: Call) -> Json:
    subscription = call.core.store.get("subscription", call.ids[0])
    details = call.params.get("cancellation_details", {})
    cancel_subscription(
        call.core, subscription, call.cause, reason="cancellation_requested", feedback=details.get("feedback")
    )
    return call.show(subscription)


def _list_subscriptions(call: Call) -> Json:
    status = call.params.get("status")

    def fits(row: Json) -> bool:
        if status is None:
            return bool(row["status"] != "canceled")
        return status == "all" or bool(row["status"] == status)

    rows = call.core.store.newest("subscription", "customer", call.params.get("customer"))
    return call.show_page(row for row in rows if fits(row))


def _create_invoice(call: Call) -> Json:
    customer = call.core.store.get("customer", _required(call, "customer"), param="customer")
    subscription = call.params.get("subscription")
    if subscription:
        call.core.store.get("subscription", subscription, param="subscription")
    currency = str(call.params.get("currency", "usd")).lower()
    terms = Terms(amount_minor=0, currency=currency, billing_reason="subscription_update")
    invoice = new_invoice(call.core, customer, terms, call.cause, subscription=subscription)
    for name in ("collection_method", "description", "metadata"):
        if name in call.params:
            invoice[name] = call.params[name]
    invoice["auto_advance"] = as_bool(call.params.get("auto_advance", "false"), "auto_advance")
    return call.show(invoice)


def _retrieve_invoice(call: Call) -> Json:
    return call.show(call.core.store.get("invoice", call.ids[0]))


def _update_invoice(call: Call) -> Json:
    invoice = call.core.store.get("invoice", call.ids[0])
    fields: Json = {}
    if "auto_advance" in call.params:
        fields["auto_advance"] = as_bool(call.params["auto_advance"], "auto_advance")
        if not fields["auto_advance"]:
            fields["next_payment_attempt"] = None
    for name in ("default_payment_method", "description"):
        if name in call.params:
            fields[name] = call.params[name] or None
    if "metadata" in call.params:
        fields["metadata"] = invoice["metadata"] | call.params["metadata"]
    change(call.core, call.cause, "invoice.updated", invoice, **fields)
    return call.show(invoice)


def _list_invoices(call: Call) -> Json:
    params = call.params
    rows = call.core.store.newest("invoice", "customer", params.get("customer"))
    return call.show_page(
        row
        for row in rows
        if params.get("status") in (None, row["status"])
        and params.get("collection_method") in (None, row["collection_method"])
        and params.get("subscription") in (None, subscription_of(row))
    )


def _finalize(call: Call) -> Json:
    invoice = call.core.store.get("invoice", call.ids[0])
    if "auto_advance" in call.params:
        invoice["auto_advance"] = as_bool(call.params["auto_advance"], "auto_advance")
    return call.show(finalize(call.core, invoice, call.cause))


def _void(call: Call) -> Json:
    invoice = call.core.store.get("invoice", call.ids[0])
    return call.show(end_invoice(call.core, invoice, "void", call.cause))


def _uncollectible(call: Call) -> Json:
    invoice = call.core.store.get("invoice", call.ids[0])
    return call.show(end_invoice(call.core, invoice, "uncollectible", call.cause))


def _create_item(call: Call) -> Json:
    invoice = call.core.store.get("invoice", _required(call, "invoice"), param="invoice")
    amount = as_int(_required(call, "amount"), "amount")
    line = add_line(call.core, invoice, amount, call.params.get("description", ""))
    return {**line, "object": "invoiceitem", "customer": invoice["customer"]}


def _list_invoice_payments(call: Call) -> Json:
    store, params = call.core.store, call.params
    payment = params.get("payment", {})
    rows = store.newest("invoice_payment", "invoice", params.get("invoice"))
    intent = payment.get("payment_intent")
    if payment.get("type") not in (None, "payment_intent"):
        raise invalid("The sandbox knows payments by payment_intent only.", param="payment[type]")
    if intent is not None:
        link = store.link_of_intent.get(intent)
        rows = iter([link] if link and params.get("invoice") in (None, link["invoice"]) else [])
    return call.show_page(row for row in rows if params.get("status") in (None, row["status"]))


def _retrieve_invoice_payment(call: Call) -> Json:
    return call.show(call.core.store.get("invoice_payment", call.ids[0]))


HANDLERS: dict[str, Handler] = {
    "subscriptions.create": _create_subscription,
    "subscriptions.retrieve": _retrieve_subscription,
    "subscriptions.update": _update_subscription,
    "subscriptions.cancel": _cancel_subscription,
    "subscriptions.list": _list_subscriptions,
    "invoices.create": _create_invoice,
    "invoices.retrieve": _retrieve_invoice,
    "invoices.update": _update_invoice,
    "invoices.list": _list_invoices,
    "invoices.finalize": _finalize,
    "invoices.void": _void,
    "invoices.mark_uncollectible": _uncollectible,
    "invoiceitems.create": _create_item,
    "invoice_payments.list": _list_invoice_payments,
    "invoice_payments.retrieve": _retrieve_invoice_payment,
}
