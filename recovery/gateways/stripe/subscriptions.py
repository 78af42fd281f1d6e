"""Subscriptions as Stripe lists them, cancelled ones included. Without them nobody could say how many customers could have left."""

from typing import Final

from recovery.gateways.port import SeenSubscription, SubscriptionsPage
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.fields import Json, ident, instant, rows, text, whole

# They never brought a renewal: nothing of them can churn.
_NEVER_BEGAN: Final = frozenset({"incomplete", "incomplete_expired"})


def subscriptions_page(calls: Calls, *, behind: str | None) -> SubscriptionsPage:
    """One page, newest first; ``behind`` is the last id of the page before."""
    with calls.within():
        found, last = calls.page(calls.client.v1.subscriptions.list, {"status": "all"}, behind=behind)
    seen = (seen_subscription(row) for row in found if text(row, "status") not in _NEVER_BEGAN)
    return SubscriptionsPage(subscriptions=tuple(one for one in seen if one is not None), last=last)


def seen_subscription(row: Json) -> SeenSubscription | None:
    """One subscription; None where it shows neither id, customer, start nor currency."""
    name, customer = ident(row), ident(row, "customer")
    started_at = instant(row, "start_date") or instant(row, "created")
    items = list(rows(row, "items"))
    currency = text(row, "currency") or next((c for item in items if (c := text(item, "price", "currency"))), None)
    if name is None or customer is None or started_at is None or currency is None:
        return None
    first: Json = items[0] if items else {}
    return SeenSubscription(
        id=name,
        customer=customer,
        currency=currency.lower(),
        amount_minor=sum((whole(item, "price", "unit_amount") or 0) * (whole(item, "quantity") or 1) for item in items),
        interval=text(first, "price", "recurring", "interval"),
        interval_count=whole(first, "price", "recurring", "interval_count") or 1,
        started_at=started_at,
        ended_at=instant(row, "ended_at"),
        ended_because=text(row, "cancellation_details", "reason"),
    )
