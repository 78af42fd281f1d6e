"""Handlers: payment intents, charges, refunds, disputes, the balance and events.

Without them nobody could read why a payment failed, what it cost, or what was told and never arrived.
"""

from __future__ import annotations

from collections.abc import Iterable

from recovery.simulation.sandbox.calls import Call, Handler
from recovery.simulation.sandbox.errors import Json, invalid
from recovery.simulation.sandbox.form import as_int
from recovery.simulation.sandbox.givebacks import refund


def _retriever(kind: str) -> Handler:
    def handler(call: Call) -> Json:
        return call.show(call.core.store.get(kind, call.ids[0]))

    return handler


def _matching(call: Call, rows: Iterable[Json], names: tuple[str, ...]) -> Json:
    wanted = [(name, call.params[name]) for name in names if name in call.params]
    return call.show_page(row for row in rows if all(row[name] == value for name, value in wanted))


def _list_intents(call: Call) -> Json:
    rows = call.core.store.newest("payment_intent", "customer", call.params.get("customer"))
    return _matching(call, rows, ())


def _list_charges(call: Call) -> Json:
    store, params = call.core.store, call.params
    if "payment_intent" in params:
        rows = store.newest("charge", "payment_intent", params["payment_intent"])
    else:
        rows = store.newest("charge", "customer", params.get("customer"))
    return _matching(call, rows, ("customer", "payment_intent"))


def _create_refund(call: Call) -> Json:
    store, params = call.core.store, call.params
    if "charge" in params:
        charge = store.get("charge", params["charge"], param="charge")
    elif "payment_intent" in params:
        intent = store.get("payment_intent", params["payment_intent"], param="payment_intent")
        if intent["status"] != "succeeded":
            raise invalid("This PaymentIntent does not have a successful charge to refund.")
        charge = store.get("charge", intent["latest_charge"])
    else:
        raise invalid("One of charge or payment_intent is required.", code="parameter_missing", param="charge")
    amount = as_int(params["amount"], "amount") if "amount" in params else None
    made = refund(call.core, charge, call.cause, amount_minor=amount, reason=params.get("reason"))
    made["metadata"] = params.get("metadata", {})
    return call.show(made)


def _list_refunds(call: Call) -> Json:
    rows = call.core.store.newest("refund", "charge", call.params.get("charge"))
    return _matching(call, rows, ("charge", "payment_intent"))


def _list_disputes(call: Call) -> Json:
    return _matching(call, call.core.store.newest("dispute"), ("charge", "payment_intent"))


def _list_balance(call: Call) -> Json:
    return _matching(call, call.core.store.newest("balance_transaction"), ("type", "source"))


def _list_events(call: Call) -> Json:
    types = set(call.params.get("types", ()))
    if "type" in call.params:
        types.add(call.params["type"])

    def fits(kind: str) -> bool:
        return not types or any(kind == t or (t.endswith(".*") and kind.startswith(t[:-1])) for t in types)

    return call.show_page(row for row in call.core.store.newest("event") if fits(row["type"]))


HANDLERS: dict[str, Handler] = {
    "payment_intents.retrieve": _retriever("payment_intent"),
    "payment_intents.list": _list_intents,
    "charges.retrieve": _retriever("charge"),
    "charges.list": _list_charges,
    "refunds.create": _create_refund,
    "refunds.retrieve": _retriever("refund"),
    "refunds.list": _list_refunds,
    "disputes.retrieve": _retriever("dispute"),
    "disputes.list": _list_disputes,
    "balance_transactions.retrieve": _retriever("balance_transaction"),
    "balance_transactions.list": _list_balance,
    "events.retrieve": _retriever("event"),
    "events.list": _list_events,
}
