"""Which failed invoices get a case. Without it first invoices, sent invoices and the other mode's would be charged too."""

from recovery.cases.obligation import Obligation, ObligationStatus


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
