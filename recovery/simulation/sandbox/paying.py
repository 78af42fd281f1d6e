"""One attempt to pay an invoice: ask, wait outside the lock, record.

Without the two halves a slow issuer would hold up every other customer's call, and two calls on the same invoice
would both charge it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from recovery.simulation.answers import APPROVE, NOT_SENT, REQUIRES_ACTION, Authorization, CardOnFile, Verdict
from recovery.simulation.sandbox.banks import answer as ask
from recovery.simulation.sandbox.booking import book, book_refusal
from recovery.simulation.sandbox.charges import charge_for, fail, intent_for
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json, Refused, invalid, locked
from recovery.simulation.sandbox.events import emit
from recovery.simulation.sandbox.ledger import Cause
from recovery.simulation.sandbox.methods import method_for
from recovery.simulation.sandbox.orders import PayOrder, Tried
from recovery.simulation.sandbox.settling import change, failed, paid, refresh_standing
from recovery.simulation.sandbox.shapes import intent_of, shown
from recovery.simulation.sandbox.wording import message_of, payment_error

PAYABLE = ("open", "uncollectible")
_NOT_PAYABLE = {
    "paid": "Invoice is already paid",
    "void": "Voided invoices cannot be paid.",
    "draft": "Draft invoices cannot be paid: finalize the invoice first.",
}


def begin(core: Core, order: PayOrder) -> Tried:
    """Check, lock the invoice and ask the issuer. Hold the store's lock; call `finish` or `release` afterwards.

    Raises Refused: 404, 400 paid, void or without payment method, 429 when the invoice is being paid.
    """
    invoice = core.store.get("invoice", order.invoice)
    check_payable(core, invoice, order)
    card = _on_file(method_for(core, invoice, order.payment_method))
    question = Authorization(
        card=card,
        customer=invoice["customer"],
        invoice=invoice["id"],
        amount_minor=invoice["amount_remaining"],
        currency=invoice["currency"],
        at=order.cause.at,
        on_session=order.on_session,
        history=tuple(core.store.history.get(card.fingerprint, ())),
    )
    answer = NOT_SENT if _gateway_refuses(core, question) else ask(core.store, core.bank, question)
    core.store.busy.add(invoice["id"])
    return Tried(order=order, question=question, answer=answer)


def release(core: Core, order: PayOrder) -> None:
    """Unlock the invoice after an attempt that was given up."""
    core.store.busy.discard(order.invoice)


def finish(core: Core, tried: Tried) -> Json:
    """Record the attempt and everything that follows from it. Hold the store's lock.

    Returns the invoice; raises Refused (402) with Stripe's card error when it was declined.
    """
    order, answer, cause = tried.order, tried.answer, tried.order.cause
    release(core, order)
    invoice = core.store.get("invoice", order.invoice)
    if answer == REQUIRES_ACTION:
        raise _wait_for_customer(core, tried, invoice)
    charge = charge_for(core, tried.question, answer, cause)
    book(core, tried, charge)
    count = _counted(invoice, cause)
    if answer.verdict is Verdict.APPROVED:
        invoice["attempt_count"] = count
        _succeed(core, tried, charge, cause)
        return invoice
    change(core, cause, "invoice.updated", invoice, attempt_count=count, attempted=True)
    if answer.verdict is Verdict.PROCESSING:
        _process(core, tried, charge)
        return invoice
    failed(core, invoice, cause, charge=charge, answer=answer)
    raise _card_error(core, tried, charge)


def _counted(invoice: Json, cause: Cause) -> int:
    """Stripe counts the first attempt of anybody, and afterwards only its own retries."""
    return int(invoice["attempt_count"]) + (cause.initiator == "gateway" or invoice["attempt_count"] == 0)


def _wait_for_customer(core: Core, tried: Tried, invoice: Json) -> Refused:
    """The payment intent waits for the cardholder; nothing was sent, no charge made, and an earlier one is still its latest."""
    cause = tried.order.cause
    change(core, cause, "invoice.updated", invoice, attempt_count=_counted(invoice, cause), attempted=True)
    intent = intent_for(core, invoice, cause)
    method = tried.question.card.payment_method
    intent.update(
        status="requires_action",
        payment_method=method,
        last_payment_error=None,
        next_action={"type": "use_stripe_sdk"},
    )
    emit(core, cause, "payment_intent.requires_action", intent)
    emit(core, cause, "invoice.payment_failed", invoice)
    emit(core, cause, "invoice.payment_action_required", invoice)
    refresh_standing(core, invoice, cause)
    store, shape = core.store, core.options.shape
    error = payment_error(
        tried.answer, charge=None, payment_method=shown(store, store.get("payment_method", method), shape)
    )
    error["payment_intent"] = shown(store, intent, shape)
    return Refused(402, error)


def attempt(core: Core, order: PayOrder) -> Refused | None:
    """Both halves at once, for what the gateway or the world starts; returns the refusal instead of raising."""
    try:
        finish(core, begin(core, order))
    except Refused as refused:
        return refused
    return None


def check_payable(core: Core, invoice: Json, order: PayOrder) -> None:
    """Refuse (400, 429) what is settled already, has a processing payment, or is being paid at this moment."""
    if invoice["id"] in core.store.busy:
        raise locked(saved=core.options.saves_lock_timeouts)
    status = invoice["status"]
    if status not in PAYABLE:
        book_refusal(core, order, status)
        raise invalid(_NOT_PAYABLE[status])
    intent = intent_of(core.store, invoice["id"])
    if intent is not None and intent["status"] == "processing":
        message = "You cannot confirm this PaymentIntent because it has a status of processing."
        raise invalid(message, code="payment_intent_unexpected_state")


def _on_file(method: Json) -> CardOnFile:
    details = method[method["type"]]
    return CardOnFile(
        payment_method=method["id"],
        fingerprint=details["fingerprint"],
        brand=details.get("brand", method["type"]),
        funding=details.get("funding", "debit"),
        country=details.get("country", "US"),
        exp_month=details.get("exp_month", 12),
        exp_year=details.get("exp_year", 9999),
        last4=details["last4"],
    )


def _gateway_refuses(core: Core, question: Authorization) -> bool:
    card = question.card
    known = core.store.refused_details.get(card.fingerprint)
    details = (card.exp_month, card.exp_year, card.last4)
    return core.options.blocks_hard_retries and not question.on_session and known == details


def _card_error(core: Core, tried: Tried, charge: Json) -> Refused:
    store, shape = core.store, core.options.shape
    method = shown(store, store.get("payment_method", charge["payment_method"]), shape)
    error = payment_error(tried.answer, charge=charge["id"], payment_method=method)
    intent = store.get("payment_intent", charge["payment_intent"])
    if tried.order.may_authenticate and tried.answer.verdict is Verdict.AUTHENTICATION:
        intent.update(status="requires_action", next_action={"type": "use_stripe_sdk"})
        error["code"] = REQUIRES_ACTION.code
        error["message"] = message_of(REQUIRES_ACTION)
    error["payment_intent"] = shown(store, intent, shape)
    return Refused(402, error)


def _succeed(core: Core, tried: Tried, charge: Json, cause: Cause) -> None:
    paid(core, core.store.get("invoice", tried.order.invoice), cause, charge=charge)
    for listener in core.charge_listeners:
        listener(charge, cause.at)


def _process(core: Core, tried: Tried, charge: Json) -> None:
    intent = core.store.get("payment_intent", charge["payment_intent"])
    intent["status"] = "processing"
    emit(core, tried.order.cause, "payment_intent.processing", intent)
    due_at = tried.order.cause.at + timedelta(seconds=core.options.processing_seconds)
    core.agenda.add(due_at, charge["id"], lambda at: _settle(core, tried, charge, at))


def _settle(core: Core, tried: Tried, charge: Json, at: datetime) -> None:
    """A processing payment ends: approved, or declined as its answer says; a new line in the ledger."""
    cause = replace(tried.order.cause, at=at)
    order = replace(tried.order, cause=cause)
    ended = replace(tried, order=order, answer=tried.answer.settles or APPROVE)
    told = Cause(initiator="gateway", at=at)
    intent = core.store.get("payment_intent", charge["payment_intent"])
    intent["status"] = "requires_payment_method"
    book(core, ended, charge)
    if ended.answer.verdict is Verdict.APPROVED:
        _succeed(core, ended, charge, told)
        return
    fail(core, charge, ended.answer)
    invoice = core.store.get("invoice", order.invoice)
    failed(core, invoice, told, charge=charge, answer=ended.answer)
