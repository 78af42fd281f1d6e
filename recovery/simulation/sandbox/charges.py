"""Making the objects of one payment: intent, invoice payment, charge, balance transaction.

Without these in one place a charge could exist that no invoice payment leads to, and mapping refunds and
disputes back to their invoice would be tested on broken chains.
"""

from __future__ import annotations

from recovery.simulation.answers import Answer, Authorization, Verdict
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json
from recovery.simulation.sandbox.ledger import Cause
from recovery.simulation.sandbox.shapes import intent_of, shown
from recovery.simulation.sandbox.templates import build, fresh
from recovery.simulation.sandbox.wording import message_of, outcome_of, payment_error

# Stripe's list price for cards, 2.9 % and 30 minor units; the dispute fee is 15.00. Only sums to reconcile with.
_FEE_PER_MILLE = 29
_FEE_FIXED_MINOR = 30
DISPUTE_FEE_MINOR = 1500


def intent_for(core: Core, invoice: Json, cause: Cause) -> Json:
    """The payment intent of an invoice; made at the first attempt, together with its invoice payment."""
    found = intent_of(core.store, invoice["id"])
    if found is not None:
        found["amount"] = invoice["amount_remaining"]
        return found
    store, scope = core.store, invoice["id"]
    intent_id = store.new_id("pi", scope)
    intent = build(
        "payment_intent",
        intent_id,
        amount=invoice["amount_remaining"],
        client_secret=f"{intent_id}_secret_sandbox",
        created=cause.timestamp,
        currency=invoice["currency"],
        customer=invoice["customer"],
        description="Subscription update",
    )
    store.add(intent)
    link = build(
        "invoice_payment",
        store.new_id("inpay", scope),
        amount_requested=invoice["amount_remaining"],
        created=cause.timestamp,
        currency=invoice["currency"],
        invoice=invoice["id"],
        payment={"type": "payment_intent", "payment_intent": intent_id},
    )
    store.add(link)
    return intent


def charge_for(core: Core, question: Authorization, answer: Answer, cause: Cause) -> Json:
    """The charge of one authorisation, recorded on the invoice's payment intent."""
    store = core.store
    invoice = store.get("invoice", question.invoice)
    intent = intent_for(core, invoice, cause)
    method = store.get("payment_method", question.card.payment_method)
    charge = build(
        "charge",
        store.new_id("ch", invoice["id"]),
        amount=question.amount_minor,
        created=cause.timestamp,
        currency=question.currency,
        customer=question.customer,
        billing_details=fresh(method["billing_details"]),
        outcome=outcome_of(answer),
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details=_details(method),
        status="pending",
    )
    store.add(charge)
    intent.update(latest_charge=charge["id"], payment_method=method["id"])
    if answer.verdict not in (Verdict.APPROVED, Verdict.PROCESSING):
        fail(core, charge, answer)
    return charge


def fail(core: Core, charge: Json, answer: Answer) -> None:
    """The charge is declined, and its payment intent says why."""
    store = core.store
    charge.update(
        status="failed",
        failure_code=answer.code,
        failure_message=message_of(answer),
        outcome=outcome_of(answer),
    )
    method = shown(store, store.get("payment_method", charge["payment_method"]), core.options.shape)
    error = payment_error(answer, charge=charge["id"], payment_method=method)
    intent = store.get("payment_intent", charge["payment_intent"])
    intent.update(status="requires_payment_method", payment_method=None, last_payment_error=error)


def _details(method: Json) -> Json:
    kind = method["type"]
    if kind != "card":
        return {"type": kind, kind: fresh(method[kind])}
    names = (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "wallet",
    )
    card = {name: fresh(method["card"][name]) for name in names}
    return {"type": "card", "card": card | {"network": card["brand"], "network_token": {"used": False}}}


def capture(core: Core, charge: Json, cause: Cause) -> None:
    """The money has moved: the charge succeeds and its balance transaction is written."""
    fee = charge["amount"] * _FEE_PER_MILLE // 1000 + _FEE_FIXED_MINOR
    movement = balance(core, charge, cause, amount=charge["amount"], fee=fee)
    charge.update(
        status="succeeded",
        paid=True,
        captured=True,
        amount_captured=charge["amount"],
        balance_transaction=movement["id"],
        failure_code=None,
        failure_message=None,
    )


def balance(core: Core, source: Json, cause: Cause, *, amount: int, fee: int = 0) -> Json:
    """One line of the gateway's balance, in the charge's currency; amounts are signed minor units."""
    details = [
        {
            "amount": fee,
            "currency": source["currency"],
            "description": "processing fees",
            "type": "stripe_fee",
        }
    ]
    category = source["object"]
    if category == "dispute" and amount > 0:
        category = "dispute_reversal"
    movement = build(
        "balance_transaction",
        core.store.new_id("txn", source["id"]),
        amount=amount,
        available_on=cause.timestamp,
        created=cause.timestamp,
        currency=source["currency"],
        fee=fee,
        fee_details=details if fee else [],
        net=amount - fee,
        reporting_category=category,
        source=source["id"],
        type="adjustment" if source["object"] == "dispute" else category,
    )
    return core.store.add(movement)
