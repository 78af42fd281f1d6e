"""What is kept of an event: an allow-list. Without it names, addresses and emails would end up in the database.

Both shapes of the API come out the same: flat keys, ids as bare strings, absent what Stripe left out. Ids are kept under the name of
what they name (``invoice``, ``customer``, ``charge`` …), instants as Unix seconds under Stripe's own name, amounts in minor units.
"""

from collections.abc import Callable, Iterator, Mapping
from operator import methodcaller
from typing import Any, Final

from recovery.gateways.port import BILLING_ADDRESS
from recovery.gateways.stripe.fields import Json, ident, part, rows

Picked = str | int | bool | None
Pick = Callable[[Json], object]
# No id or code of Stripe's comes near this; whatever is longer is somebody's text.
_TEXT_MAX: Final = 255


def reduced(kind: str, thing: Json, *, previous: Json | None = None) -> dict[str, Any]:
    """The kept fields of the object an event is about; empty for kinds that nobody translates.

    ``previous`` are the event's previous attributes: only their names are kept, in ``changed``, except for the customer a payment
    method was detached from.
    """
    table = _TABLES.get(kind.rpartition(".")[0])
    if table is None:
        return {}
    content = {key: value for key, pick in table.items() if (value := _scalar(pick(thing))) is not None}
    if previous:
        # One string, so that every kept value is a scalar.
        content["changed"] = " ".join(sorted(_changes(previous)))
        if kind == "payment_method.detached" and "customer" not in content:
            left = _scalar(ident(previous, "customer"))
            content |= {"customer": left} if left is not None else {}
    return content


def _changes(previous: Json) -> set[str]:
    """The names worth knowing. A changed billing address has one of its own: of what else was there, and of what, nothing is kept."""
    billing = previous.get("billing_details", {})
    address = billing is None or (isinstance(billing, Mapping) and "address" in billing)
    # Legacy card sources have it among their own fields, beside the results of its checks.
    source = any(name.startswith("address_") and not name.endswith("_check") for name in previous)
    names = {name for name in previous if name in _CHANGES}
    return names | {BILLING_ADDRESS} if address or source else names


def _scalar(value: object) -> Picked:
    """A plain value that any database takes: no objects, no floats, no overlong or unencodable text."""
    if isinstance(value, bool | int):
        return value
    if not isinstance(value, str) or not value or len(value) > _TEXT_MAX:
        return None
    if value.isascii() and value.isprintable():
        return value
    # PostgreSQL stores neither NUL nor lone surrogates, and one such event would be refused for ever.
    return value.replace("\x00", "").encode("utf-8", "replace").decode()


def _at(*path: str) -> Pick:
    return lambda thing: part(thing, *path)


def _id(*paths: str) -> Pick:
    """The first id among dotted paths: the new shape's place first."""
    first, *others = [path.split(".") for path in paths]
    if not others:
        return lambda thing: ident(thing, *first)
    return lambda thing: next((found for path in (first, *others) if (found := ident(thing, *path))), None)


def _payment(key: str) -> Pick:
    """An id out of an invoice's payments, or from the invoice itself in the old shape."""

    def pick(invoice: Json) -> object:
        found: Iterator[str | None] = (ident(row, "payment", key) for row in rows(invoice, "payments"))
        return next((one for one in found if one), None) or ident(invoice, key)

    return pick


def _same(*names: str) -> dict[str, Pick]:
    return {name: methodcaller("get", name) for name in names}


def _card(*path: str) -> dict[str, Pick]:
    names = ("brand", "funding", "country", "last4", "exp_month", "exp_year", "fingerprint")
    return {name: _at(*path, name) for name in names}


_CODES: Final = ("code", "decline_code", "advice_code", "network_decline_code", "network_advice_code")

_TABLES: Final[Mapping[str, Mapping[str, Pick]]] = {
    "invoice": {
        "invoice": _id("id"),
        "customer": _id("customer"),
        "subscription": _id("parent.subscription_details.subscription", "subscription"),
        "payment_intent": _payment("payment_intent"),
        "charge": _payment("charge"),
        "payment_method": _id("default_payment_method"),
        "paid_at": _at("status_transitions", "paid_at"),
        **_same("status", "currency", "amount_due", "amount_paid", "amount_remaining", "billing_reason", "created"),
        **_same("collection_method", "next_payment_attempt", "attempt_count", "auto_advance", "paid_out_of_band"),
    },
    "invoice_payment": {
        "invoice_payment": _id("id"),
        "invoice": _id("invoice"),
        "payment_intent": _id("payment.payment_intent"),
        "charge": _id("payment.charge"),
        "payment_type": _at("payment", "type"),
        **_same("status", "currency", "amount_paid", "amount_requested", "is_default"),
    },
    "payment_intent": {
        "payment_intent": _id("id"),
        "charge": _id("latest_charge", "last_payment_error.charge"),
        "invoice": _id("invoice"),
        "customer": _id("customer"),
        "payment_method": _id("last_payment_error.payment_method", "payment_method"),
        **_same("status", "currency", "amount"),
        **{name: _at("last_payment_error", name) for name in _CODES},
    },
    "charge.dispute": {
        "dispute": _id("id"),
        "charge": _id("charge"),
        "payment_intent": _id("payment_intent"),
        **_same("status", "reason", "currency", "amount", "created"),
    },
    "charge.refund": (
        _REFUND := {
            "refund": _id("id"),
            "charge": _id("charge"),
            "payment_intent": _id("payment_intent"),
            **_same("status", "reason", "failure_reason", "currency", "amount", "created"),
        }
    ),
    "refund": _REFUND,
    "charge": {
        "charge": _id("id"),
        "payment_intent": _id("payment_intent"),
        "invoice": _id("invoice"),
        "customer": _id("customer"),
        "payment_method": _id("payment_method", "source"),
        **_same("status", "currency", "amount", "amount_refunded", "refunded", "disputed", "failure_code", "created"),
        "outcome_type": _at("outcome", "type"),
        "outcome_reason": _at("outcome", "reason"),
        "network_status": _at("outcome", "network_status"),
        **{name: _at("outcome", name) for name in ("advice_code", "network_decline_code", "network_advice_code")},
    },
    "customer.subscription": {
        "subscription": _id("id"),
        "customer": _id("customer"),
        "payment_method": _id("default_payment_method", "default_source"),
        "invoice": _id("latest_invoice"),
        "cancel_reason": _at("cancellation_details", "reason"),
        "cancel_feedback": _at("cancellation_details", "feedback"),
        **_same("status", "collection_method", "cancel_at_period_end", "cancel_at", "canceled_at", "ended_at"),
        **_same("created", "currency"),
    },
    "customer.source": {
        "payment_method": _id("id"),
        "customer": _id("customer"),
        "type": _at("object"),
        **_card(),
    },
    "customer": {
        "customer": _id("id"),
        "payment_method": _id("invoice_settings.default_payment_method", "default_source"),
        **_same("deleted", "delinquent"),
    },
    "payment_method": {
        "payment_method": _id("id"),
        "customer": _id("customer"),
        "type": _at("type"),
        **_card("card"),
    },
}
# Names of previous attributes worth knowing. Their values are not kept.
_CHANGES: Final = frozenset(
    {
        "amount_due",
        "amount_paid",
        "amount_remaining",
        "auto_advance",
        "attempt_count",
        "cancel_at",
        "cancel_at_period_end",
    }
    | {"card", "collection_method", "currency", "customer", "default_payment_method", "default_source", "exp_month"}
    | {"exp_year", "fingerprint", "invoice_settings", "last4", "next_payment_attempt", "paid", "status"}
)
