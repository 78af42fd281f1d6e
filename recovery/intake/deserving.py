"""Which failed invoices get a case. Without it first invoices, sent invoices and the other mode's would be charged too."""

from datetime import datetime

from recovery.cases.obligation import Charge, Obligation, ObligationStatus
from recovery.cases.opening import opened_case
from recovery.cases.rules import Rules


def undeserving(obligation: Obligation, *, livemode: bool) -> str | None:
    """Why an invoice gets no case, or None when it deserves one. Other payment methods get one, for a person."""
    checks = (
        (obligation.livemode == livemode, "it is from the other mode than our key"),
        (obligation.status is ObligationStatus.OPEN, f"the invoice is {obligation.status.value}"),
        (obligation.remaining.minor > 0, "nothing remains to be paid"),
        (obligation.charge_automatically, "it is sent to the customer, not charged automatically"),
        (obligation.billing_reason != "subscription_create", "it is a first invoice, an on-session matter"),
        (obligation.subscription_live, "its subscription is cancelled"),
    )
    return next((reason for fine, reason in checks if not fine), None)


def too_old(obligation: Obligation, failure: Charge, *, rules: Rules, now: datetime) -> str | None:
    """Why a failure is too old to open a case by itself, or None. Its silent days have passed: a case would write to the customer
    at once, of a failure that may be years old."""
    case = opened_case(failure, obligation, rules=rules, case_id="", gateway="", policy="")
    if now < case.horizon_at:
        return None
    days = (now - failure.created_at).days
    allowed = (case.horizon_at - failure.created_at).days
    old = f"the payment failed {days} days ago, beyond the horizon of {allowed} days"
    return f"{old}; recovery backfill --invoice {obligation.id} opens it"
