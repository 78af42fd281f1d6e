"""What the customer does on the gateway's own pages: pay an invoice, save another card.

Without these steps a payment on the hosted page could not be told from the engine's own attempt, and the portal's
habit of changing only the customer's default would not exist here.
"""

from __future__ import annotations

from recovery.simulation.sandbox.cards import from_test_name
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json, Refused, invalid
from recovery.simulation.sandbox.events import emit
from recovery.simulation.sandbox.ledger import Cause
from recovery.simulation.sandbox.methods import set_customer_default
from recovery.simulation.sandbox.orders import PayOrder
from recovery.simulation.sandbox.paying import attempt


def customer_cause(core: Core) -> Cause:
    """A request that the customer's browser made: it has an id, but never an idempotency key."""
    return core.cause("customer", request_id=core.store.new_id("req", "pages"))


def typed_card(core: Core, customer: str, name: str, cause: Cause) -> Json:
    """A card typed into a page, by one of Stripe's test names, attached to the customer.

    Raises Refused (400) for a name that Stripe does not document.
    """
    method = from_test_name(core.store, name, created=cause.timestamp, scope=customer)
    if method is None:
        raise invalid(f"No such test card: {name}", param="card")
    method["customer"] = customer
    emit(core, cause, "payment_method.attached", method)
    return method


def pay_as_customer(core: Core, invoice_id: str, *, method: str | None, cause: Cause) -> Refused | None:
    """The customer pays on the hosted page, present and able to authenticate. Hold the store's lock."""
    return attempt(core, PayOrder(invoice=invoice_id, cause=cause, payment_method=method, on_session=True))


def save_card_as_customer(core: Core, customer_id: str, method: str, cause: Cause) -> None:
    """The portal's card form: the customer's default changes, the subscription's stays."""
    set_customer_default(core, core.store.get("customer", customer_id), method, cause)
