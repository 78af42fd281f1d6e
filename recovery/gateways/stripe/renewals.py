"""Stripe's list of subscriptions as renewals to come. Without it only subscriptions that have failed would be known."""

from typing import Final

from recovery.gateways.port import NotFound, Renewal, RenewalPage
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.cards import card_of_method
from recovery.gateways.stripe.fields import Json, flag, ident, instant, mapping, part, rows, text

_EXPAND: Final = ["default_payment_method", "customer.invoice_settings.default_payment_method"]

_RENEWING: Final = frozenset({"active", "trialing", "past_due"})
"""A trial ends with a charge, and a subscription whose last invoice is owed still makes the next one."""


def renewal_page(calls: Calls, behind: str | None) -> RenewalPage:
    """One page of subscriptions that are not cancelled, with the cards they would be charged on. Raises as every read."""
    expand = [f"data.{path}" for path in _EXPAND]
    found, last = calls.page(calls.to("subscriptions"), {"expand": expand}, behind=behind)
    read = [_renewal(one) for one in found if _renews(one)]
    return RenewalPage(
        renewals=tuple(one for one in read if isinstance(one, Renewal)),
        behind=last,
        odd=tuple(one for one in read if isinstance(one, str)),
    )


def renewal_of(calls: Calls, subscription: str) -> Renewal | None:
    """One of them, read by itself; None when it is gone, cannot be read or does not renew by itself. Raises as every read."""
    try:
        found = calls.read(calls.to("subscriptions", subscription), {"expand": _EXPAND})
    except NotFound:
        return None
    read = _renewal(found) if _renews(found) else None
    return read if isinstance(read, Renewal) else None


def _renews(one: Json) -> bool:
    """Whether it will be charged by itself; a status that Stripe left out counts as active."""
    sent = text(one, "collection_method") == "send_invoice"
    return (text(one, "status") or "active") in _RENEWING and not sent and not flag(one, "cancel_at_period_end")


def _renewal(one: Json) -> Renewal | str:
    """What will be charged, or in words what is missing: tomorrow's round sees it again."""
    ends = [instant(one, "current_period_end"), *(instant(item, "current_period_end") for item in rows(one, "items"))]
    renews_at = min((at for at in ends if at is not None), default=None)
    name, customer = ident(one), ident(one, "customer")
    if name is None or customer is None or renews_at is None:
        missing = [
            what for what, value in (("id", name), ("customer", customer), ("end of period", renews_at)) if not value
        ]
        return f"subscription {name or 'without id'}: no {' and no '.join(missing)}"
    wishes = (
        mapping(one, "default_payment_method"),
        part(one, "customer", "invoice_settings", "default_payment_method"),
    )
    method = next((mapping(wish) for wish in wishes if mapping(wish) is not None), None)
    return Renewal(subscription=name, customer=customer, renews_at=renews_at, card=card_of_method(method))
