"""One attempt at Stripe and what its answer means. Without it a timeout would be a decline and a decline an exception."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import stripe

from recovery.cases.answers import (
    AlreadySettled,
    Answer,
    Declined,
    Misconfigured,
    NeedsCustomer,
    NotSent,
    Processing,
    Succeeded,
    Unknown,
)
from recovery.cases.obligation import Charge, ChargeStatus, ObligationStatus
from recovery.gateways.port import ChargeOrder, GatewayError
from recovery.gateways.stripe.calls import Calls, plain
from recovery.gateways.stripe.charges import CHARGE_MARGIN, charge_of, refused, signals_of
from recovery.gateways.stripe.fields import Json, ident, instant, mapping, rows, text, whole
from recovery.gateways.stripe.invoices import intents_of, status_of
from recovery.gateways.stripe.reading import PAYMENTS_EXPAND, Reading
from recovery.gateways.stripe.refusals import Refusal, brief, error_body, pay_again, refusal_of
from recovery.money import Money

# Of the whole bound the payment's tries get so much; the rest is kept for reading the charge that was made.
_PAY_SHARE: Final = 0.8


class Paying:
    """Pays the same invoice, off-session, under the attempt's key; never creates a charge of its own."""

    def __init__(self, calls: Calls, reading: Reading) -> None:
        self._calls = calls
        self._reading = reading

    def attempt(self, order: ChargeOrder) -> Answer:
        """One attempt with its repeats, all under one key. Whatever Stripe or the network does is an answer."""
        doubts: list[str] = []
        try:
            with self._calls.within(self._calls.limits.bound_seconds * _PAY_SHARE):
                invoice = self._calls.repeating(lambda: self._pay(order, doubts), again=pay_again)
        except stripe.StripeError as error:
            return self._refused(order, error, doubts=doubts)
        try:
            return self._accepted(order, invoice)
        except GatewayError as error:
            return Unknown(detail=f"the answer could not be read: {error}")

    def _pay(self, order: ChargeOrder, doubts: list[str]) -> dict[str, Any]:
        try:
            return plain(
                self._calls.client.raw_request(
                    "post",
                    f"/v1/invoices/{quote(order.obligation, safe='')}/pay",
                    payment_method=order.payment_method,
                    off_session=True,
                    expand=list(PAYMENTS_EXPAND),
                    idempotency_key=order.key,
                )
            )
        except stripe.StripeError as error:
            if refusal_of(error) is Refusal.IN_DOUBT:
                doubts.append(brief(error))
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # The client stumbled over an answer that is JSON but not Stripe's. What was done is not known.
            doubts.append(type(error).__name__)
            raise stripe.APIError(f"unreadable answer ({type(error).__name__})") from None

    def _refused(self, order: ChargeOrder, error: stripe.StripeError, *, doubts: list[str]) -> Answer:
        refusal, detail = refusal_of(error), brief(error)
        if refusal is Refusal.DECLINED:
            # Sure even after a doubtful try: one key is executed once, so this is that try's result or its repeat's.
            return self._declined(order, error_body(error) or {})
        if doubts:
            return Unknown(detail="; ".join([*doubts, detail] if detail != doubts[-1] else doubts))
        if refusal is Refusal.NOT_SENT:
            return NotSent(detail=detail)
        if refusal is Refusal.MISCONFIGURED:
            return Misconfigured(detail=detail)
        settled = self._settled_already(order)
        if settled is not None:
            return settled
        if refusal is Refusal.METHOD_UNUSABLE:
            return Declined(signals=replace(signals_of(None, error_body(error)), reached_network=False))
        return Unknown(detail=detail)

    def _settled_already(self, order: ChargeOrder) -> Answer | None:
        """AlreadySettled if the invoice shows that nothing was left to pay, None if it is open still."""
        try:
            invoice = self._calls.read(self._calls.client.v1.invoices.retrieve, order.obligation)
            status = status_of(invoice)
        except GatewayError as failure:
            return Unknown(detail=f"refused, and the invoice could not be read: {failure}")
        if status in (ObligationStatus.OPEN, ObligationStatus.DRAFT):
            return None
        return AlreadySettled(detail=f"the invoice was {status.value} before this attempt")

    def _declined(self, order: ChargeOrder, error: Json) -> Answer:
        """The decline with the outcome of its charge, which only the charge itself tells."""
        intent = mapping(error, "payment_intent")
        told = mapping(intent, "last_payment_error")
        if made := ident(error, "charge"):
            return refused(signals_of(self._charge(made), error, told), made)
        last = ident(told, "charge") or ident(intent, "latest_charge")
        charge = self._charge(last) if last else self._newest_failed(order)
        if charge is None or not _made_for(order, charge):
            # What the intent still shows may be an earlier attempt's: only the error itself is surely about this one.
            return refused(signals_of(None, error), None)
        return refused(signals_of(charge, error, told), ident(charge))

    def _newest_failed(self, order: ChargeOrder) -> Json | None:
        """The charge of a decline that names none: the newest of the invoice's payments, if it is this attempt's."""
        try:
            expand = {"expand": PAYMENTS_EXPAND}
            invoice = self._calls.read(self._calls.client.v1.invoices.retrieve, order.obligation, expand)
        except GatewayError:
            return None
        for intent in reversed(intents_of(invoice, list(rows(invoice, "payments")))):
            made = ident(intent, "latest_charge")
            charge = self._charge(made) if made else None
            if (
                charge
                and text(charge, "status") == "failed"
                and ident(charge, "payment_method") == order.payment_method
                and _made_for(order, charge)
            ):
                return charge
        return None

    def _charge(self, name: str) -> Json | None:
        """The charge, or None when it cannot be read now: then it counts as having reached the network."""
        try:
            return self._reading.charge(name)
        except GatewayError:
            return None

    def _accepted(self, order: ChargeOrder, invoice: Json) -> Answer:
        """What a 200 means. Only a paid invoice with a charge behind it is a success."""
        status = status_of(invoice)
        if status is ObligationStatus.PAID:
            charge = self._paying_charge(order, invoice)
            return Succeeded(charge=charge) if charge else AlreadySettled(detail="paid without a charge")
        if status in (ObligationStatus.VOID, ObligationStatus.UNCOLLECTIBLE):
            return AlreadySettled(detail=f"the invoice is {status.value}")
        for intent in reversed(intents_of(invoice, list(rows(invoice, "payments")))):
            if answer := self._pending(order, intent):
                return answer
        return Unknown(detail=f"accepted, but the invoice is {status.value}")

    def _pending(self, order: ChargeOrder, intent: Json) -> Answer | None:
        state, made = text(intent, "status"), ident(intent, "latest_charge")
        if state == "processing":
            return Processing(charge_id=made)
        error = mapping(intent, "last_payment_error")
        charge = self._charge(made) if made else None
        earlier = charge is not None and not _made_for(order, charge)
        if state in ("requires_action", "requires_confirmation"):
            signals = signals_of(None, None if earlier else error)
            return NeedsCustomer(signals=signals, charge_id=None if earlier else made)
        if state != "requires_payment_method" or error is None or earlier:
            return None
        return refused(signals_of(charge, error), made)

    def _paying_charge(self, order: ChargeOrder, invoice: Json) -> Charge | None:
        """The newest charge that brought money. If it cannot be read, what the answer itself says of it."""
        paid_at = instant(invoice, "status_transitions", "paid_at") or order.started_at
        intents = intents_of(invoice, list(rows(invoice, "payments")))
        found = [self._told(order, one, paid_at=paid_at) for one in intents if _brought_money(one)]
        if not found:
            # Another shape, or nothing expanded: look at all the charges there are.
            found = list(self._reading.obligation(order.obligation).succeeded)
        return max(found, key=lambda one: one.created_at, default=None)

    def _told(self, order: ChargeOrder, intent: Json, *, paid_at: datetime) -> Charge:
        name, currency = ident(intent, "latest_charge") or "", order.amount.currency
        if charge := self._charge(name):
            return charge_of(charge, currency=currency, created_at=paid_at)
        amount = Money(minor=whole(intent, "amount_received") or order.amount.minor, currency=currency)
        return Charge(id=name, status=ChargeStatus.SUCCEEDED, amount=amount, created_at=paid_at)


def _made_for(order: ChargeOrder, charge: Json) -> bool:
    """Whether a charge is young enough to be this attempt's."""
    made_at = instant(charge, "created")
    return made_at is not None and made_at >= order.started_at - CHARGE_MARGIN


def _brought_money(intent: Json) -> bool:
    return text(intent, "status") == "succeeded" and ident(intent, "latest_charge") is not None
