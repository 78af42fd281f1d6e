"""Handlers: account, customers, payment methods, portal sessions.

Without them the engine could not read who owes and with which cards, which is what it decides on.
"""

from __future__ import annotations

from typing import Any

from recovery.simulation.sandbox.banks import address_corrected
from recovery.simulation.sandbox.calls import Call, Handler
from recovery.simulation.sandbox.cards import TEST_CARDS, from_test_name
from recovery.simulation.sandbox.errors import Json, invalid, no_such
from recovery.simulation.sandbox.events import emit
from recovery.simulation.sandbox.form import as_int
from recovery.simulation.sandbox.methods import attach, detach
from recovery.simulation.sandbox.settling import change
from recovery.simulation.sandbox.templates import build

# Stripe's tokens for cards typed into a form; the same cards as the test payment methods.
_TOKENS = {"tok_visa": "pm_card_visa", "tok_mastercard": "pm_card_mastercard", "tok_amex": "pm_card_amex"}


def _account(_: Call) -> Json:
    return build("account", "acct_sandbox")


def _fields(call: Call) -> dict[str, Any]:
    params = call.params
    fields: dict[str, Any] = {
        name: params[name] for name in ("name", "email", "phone", "description") if name in params
    }
    for name in ("metadata", "preferred_locales"):
        if name in params:
            fields[name] = params[name]
    if "address" in params:
        empty = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
        fields["address"] = empty | params["address"]
    return fields


def _default_method(call: Call) -> str | None:
    found = call.params.get("invoice_settings", {}).get("default_payment_method")
    if found:
        call.core.store.get("payment_method", found, param="invoice_settings[default_payment_method]")
    return found or None


def _create(call: Call) -> Json:
    store = call.core.store
    customer = build("customer", store.new_id("cus"), created=call.cause.timestamp, **_fields(call))
    store.add(customer)
    emit(call.core, call.cause, "customer.created", customer)
    if "payment_method" in call.params:
        attach(call.core, call.params["payment_method"], customer["id"], call.cause)
    customer["invoice_settings"]["default_payment_method"] = _default_method(call)
    return call.show(customer)


def _retrieve(call: Call) -> Json:
    return call.show(call.core.store.get("customer", call.ids[0]))


def _update(call: Call) -> Json:
    customer = call.core.store.get("customer", call.ids[0])
    fields = _fields(call)
    if "metadata" in fields:
        fields["metadata"] = customer["metadata"] | fields["metadata"]
    if "invoice_settings" in call.params:
        fields["invoice_settings"] = customer["invoice_settings"] | {"default_payment_method": _default_method(call)}
    change(call.core, call.cause, "customer.updated", customer, **fields)
    return call.show(customer)


def _list(call: Call) -> Json:
    email = call.params.get("email")
    rows = (row for row in call.core.store.newest("customer") if email in (None, row["email"]))
    return call.show_page(rows)


def _methods_of(call: Call, customer: str) -> Json:
    call.core.store.get("customer", customer, param=None if call.ids else "customer")
    kind = call.params.get("type")
    rows = [
        row
        for row in call.core.store.newest("payment_method")
        if row["customer"] == customer and kind in (None, row["type"])
    ]
    return call.show_page(rows)


def _customer_methods(call: Call) -> Json:
    return _methods_of(call, call.ids[0])


def _customer_method(call: Call) -> Json:
    method = call.core.store.get("payment_method", call.ids[1])
    if method["customer"] != call.ids[0]:
        raise no_such("payment_method", call.ids[1])
    return call.show(method)


def _list_methods(call: Call) -> Json:
    if "customer" not in call.params:
        raise invalid("Missing required param: customer.", code="parameter_missing", param="customer")
    return _methods_of(call, call.params["customer"])


def _create_method(call: Call) -> Json:
    token = call.params.get("card", {}).get("token", "")
    name = _TOKENS.get(token, token)
    if call.params.get("type") != "card" or name not in TEST_CARDS:
        raise invalid("The sandbox creates cards from test tokens only.", param="card[token]")
    method = from_test_name(call.core.store, name, created=call.cause.timestamp)
    assert method is not None, "the name was just found in the table"
    method["billing_details"] |= call.params.get("billing_details", {})
    method["metadata"] = call.params.get("metadata", {})
    return call.show(method)


def _retrieve_method(call: Call) -> Json:
    return call.show(call.core.store.get("payment_method", call.ids[0]))


def _update_method(call: Call) -> Json:
    method = call.core.store.get("payment_method", call.ids[0])
    fields: dict[str, Any] = {}
    if "card" in call.params:
        if method["type"] != "card":
            raise invalid("This payment method has no card.", param="card")
        expiry = {name: as_int(value, f"card[{name}]") for name, value in call.params["card"].items()}
        fields["card"] = method["card"] | expiry
    for name in ("billing_details", "metadata"):
        if name in call.params:
            fields[name] = method[name] | call.params[name]
    if "address" in call.params.get("billing_details", {}):
        fields["billing_details"]["address"] = (
            method["billing_details"]["address"] | call.params["billing_details"]["address"]
        )
        address_corrected(call.core.store, method["card"]["fingerprint"] if method["type"] == "card" else "")
    change(call.core, call.cause, "payment_method.updated", method, **fields)
    return call.show(method)


def _attach(call: Call) -> Json:
    if "customer" not in call.params:
        raise invalid("Missing required param: customer.", code="parameter_missing", param="customer")
    return call.show(attach(call.core, call.ids[0], call.params["customer"], call.cause))


def _detach(call: Call) -> Json:
    return call.show(detach(call.core, call.ids[0], call.cause))


def _portal(call: Call) -> Json:
    store, params = call.core.store, call.params
    customer = store.get("customer", params.get("customer", ""), param="customer")
    session_id = store.new_id("bps", customer["id"])
    flow = params.get("flow_data", {}).get("type")
    session = build(
        "billing_portal.session",
        session_id,
        created=call.cause.timestamp,
        customer=customer["id"],
        flow={"type": flow} if flow else None,
        locale=params.get("locale"),
        return_url=params.get("return_url"),
        url=f"{call.core.base_url}/pages/portal/{session_id}",
    )
    return call.show(store.add(session))


HANDLERS: dict[str, Handler] = {
    "account.retrieve": _account,
    "customers.create": _create,
    "customers.retrieve": _retrieve,
    "customers.update": _update,
    "customers.list": _list,
    "customers.payment_methods": _customer_methods,
    "customers.payment_method": _customer_method,
    "payment_methods.create": _create_method,
    "payment_methods.retrieve": _retrieve_method,
    "payment_methods.update": _update_method,
    "payment_methods.list": _list_methods,
    "payment_methods.attach": _attach,
    "payment_methods.detach": _detach,
    "billing_portal.sessions.create": _portal,
}
