"""Which payment method pays, and how methods belong to customers.

Without Stripe's order (invoice, subscription, customer) a customer who changed the card in the portal would
wrongly succeed on the next silent try, and the most common support case would stay invisible.
"""

from __future__ import annotations

from recovery.simulation.sandbox.cards import from_test_name
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json, invalid
from recovery.simulation.sandbox.events import emit
from recovery.simulation.sandbox.ledger import Cause
from recovery.simulation.sandbox.settling import change
from recovery.simulation.sandbox.shapes import subscription_of


def method_for(core: Core, invoice: Json, explicit: str | None) -> Json:
    """The payment method of an attempt.

    Raises Refused (400) when none is set, or when the one named is not the customer's.
    """
    store = core.store
    customer = store.get("customer", invoice["customer"])
    name = explicit or invoice["default_payment_method"]
    subscription_id = subscription_of(invoice)
    if name is None and subscription_id is not None:
        name = store.get("subscription", subscription_id)["default_payment_method"]
    name = name or customer["invoice_settings"]["default_payment_method"]
    if name is None:
        raise invalid(
            "This customer has no attached payment source or default payment method. Please consider adding a "
            "default payment method.",
            code="resource_missing",
        )
    method = store.get("payment_method", name, param="payment_method")
    if method["customer"] != customer["id"]:
        raise invalid(
            f"The provided PaymentMethod cannot be used: {name} is not attached to this customer.",
            param="payment_method",
        )
    return method


def attach(core: Core, name: str, customer_id: str, cause: Cause) -> Json:
    """Attach a payment method (or one of Stripe's test names, which makes a new one) to a customer.

    Raises Refused: 404 no such method, 400 no such customer or attached to another one.
    """
    store = core.store
    customer = store.get("customer", customer_id, param="customer")
    method = from_test_name(store, name, created=cause.timestamp, scope=customer_id)
    method = method or store.get("payment_method", name)
    if method["customer"] not in (None, customer["id"]):
        raise invalid("The payment method you provided has already been attached to a customer.")
    method["customer"] = customer["id"]
    emit(core, cause, "payment_method.attached", method)
    return method


def detach(core: Core, name: str, cause: Cause) -> Json:
    """Detach a payment method for good; defaults that named it are emptied. Raises Refused (404, 400)."""
    method = core.store.get("payment_method", name)
    owner = method["customer"]
    if owner is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    customer = core.store.get("customer", owner)
    settings = customer["invoice_settings"]
    if settings["default_payment_method"] == name:
        change(
            core,
            cause,
            "customer.updated",
            customer,
            invoice_settings=settings | {"default_payment_method": None},
        )
    for subscription in core.store.newest("subscription", "customer", owner):
        if subscription["default_payment_method"] == name:
            change(core, cause, "customer.subscription.updated", subscription, default_payment_method=None)
    emit(core, cause, "payment_method.detached", method, changed={"customer": owner})
    method["customer"] = None
    return method


def set_customer_default(core: Core, customer: Json, name: str, cause: Cause) -> None:
    """What the portal's card form does: the customer's default changes, the subscription's does not."""
    core.store.get("payment_method", name, param="invoice_settings[default_payment_method]")
    settings = customer["invoice_settings"] | {"default_payment_method": name}
    change(core, cause, "customer.updated", customer, invoice_settings=settings)
