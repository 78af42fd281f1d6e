"""One charge and the signals of its decline. Without it a retry that Stripe blocked would count as a network attempt."""

from datetime import datetime, timedelta
from typing import Final

from recovery.cases.answers import Declined, NeedsCustomer
from recovery.cases.obligation import Charge, ChargeStatus
from recovery.declines.signals import Signals
from recovery.gateways.stripe.cards import card_of_charge
from recovery.gateways.stripe.fields import Json, ident, instant, mapping, part, text, whole
from recovery.money import Money

# Off-session these two mean the same: without the customer nothing can succeed. The second is what invoices say
# when their payment intent waits for an action.
_NEEDS_CUSTOMER: Final = frozenset({"authentication_required", "invoice_payment_intent_requires_action"})

# Charges carry whole seconds, and the intent is committed a moment before the call.
CHARGE_MARGIN: Final = timedelta(seconds=5)


def charge_of(charge: Json, *, currency: str, created_at: datetime, error: Json | None = None) -> Charge:
    """A charge from its JSON. ``currency`` and ``created_at`` stand in where Stripe left them out.

    ``error`` is what the payment intent or the call said of this very charge, if anything.
    """
    status = _status(charge)
    return Charge(
        id=text(charge, "id") or "",
        status=status,
        amount=money(whole(charge, "amount"), text(charge, "currency"), otherwise=currency),
        created_at=instant(charge, "created") or created_at,
        card=card_of_charge(charge),
        signals=signals_of(charge, error) if status is ChargeStatus.FAILED else None,
    )


def signals_of(charge: Json | None, *errors: Json | None) -> Signals:
    """All signals of one decline: what the errors say, the first one first, completed by the charge's outcome."""
    outcome = mapping(charge, "outcome")
    reason = text(outcome, "reason")
    # An issuer's decline repeats its decline code as the outcome's reason; a blocked charge gives the rule that blocked.
    decline_code = reason if text(outcome, "type") == "issuer_declined" else None
    return Signals(
        error_code=_first("code", *errors) or text(charge, "failure_code"),
        decline_code=_first("decline_code", *errors) or decline_code,
        advice_code=_first("advice_code", *errors, outcome),
        network_decline_code=_first("network_decline_code", *errors, outcome),
        network_advice_code=_first("network_advice_code", *errors, outcome),
        outcome_type=text(outcome, "type"),
        outcome_reason=reason,
        reached_network=_reached_network(outcome),
    )


def refused(signals: Signals, charge_id: str | None) -> Declined | NeedsCustomer:
    """The answer to a decline: whether only the customer's authentication can help."""
    if _NEEDS_CUSTOMER & {signals.error_code, signals.decline_code}:
        return NeedsCustomer(signals=signals, charge_id=charge_id)
    return Declined(signals=signals, charge_id=charge_id)


def error_about(intent: Json | None, charge_id: str | None) -> Json | None:
    """What a payment intent says of its last failure, if that failure was this charge."""
    error = mapping(intent, "last_payment_error")
    if error is None or charge_id is None:
        return error
    return error if (ident(error, "charge") or ident(intent, "latest_charge")) == charge_id else None


def money(minor: int | None, currency: str | None, *, otherwise: str) -> Money:
    """An amount from JSON; a missing amount is zero, a missing or odd currency the one expected."""
    try:
        return Money(minor=minor or 0, currency=(currency or otherwise).lower())
    except ValueError:
        return Money(minor=minor or 0, currency=otherwise)


def _first(key: str, *sources: Json | None) -> str | None:
    return next((found for source in sources if (found := text(source, key))), None)


def _status(charge: Json) -> ChargeStatus:
    named = text(charge, "status")
    if named in ("succeeded", "paid"):
        return ChargeStatus.SUCCEEDED
    if named == "failed":
        return ChargeStatus.FAILED
    if named is None and part(charge, "paid") is not None:
        return ChargeStatus.SUCCEEDED if part(charge, "paid") is True else ChargeStatus.FAILED
    return ChargeStatus.PENDING


def _reached_network(outcome: Json | None) -> bool:
    """False only if Stripe says so. A charge blocked after the bank's approval did reach the network."""
    status = text(outcome, "network_status")
    if status is not None:
        return status != "not_sent_to_network"
    return text(outcome, "type") not in ("blocked", "invalid")
