"""Stripe's list of subscriptions as renewals to come. Without it only subscriptions that have failed would be known."""

from collections.abc import Iterator
from typing import Any, Final

from recovery.gateways.port import Renewal, RenewalPage
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.cards import card_of_method
from recovery.gateways.stripe.fields import Json, flag, ident, instant, mapping, part, rows, text

PAGE_ROWS: Final = 100
_EXPAND: Final = ["data.default_payment_method", "data.customer.invoice_settings.default_payment_method"]


def renewal_page(calls: Calls, behind: str | None) -> RenewalPage:
    """One page of active subscriptions, with the cards they would be charged on. Raises as every read."""
    params: dict[str, Any] = {"status": "active", "limit": PAGE_ROWS, "expand": _EXPAND}
    if behind is not None:
        params["starting_after"] = behind
    page = calls.read(calls.client.v1.subscriptions.list, params)
    found = list(rows(page))
    last = ident(found[-1]) if found else None
    return RenewalPage(renewals=tuple(_renewals(found)), behind=last if flag(page, "has_more") else None)


def _renewals(found: list[Json]) -> Iterator[Renewal]:
    """What will be charged by itself; a subscription that cannot be read is passed over: tomorrow's round sees it again."""
    for one in found:
        ends = [
            instant(one, "current_period_end"),
            *(instant(item, "current_period_end") for item in rows(one, "items")),
        ]
        renews_at = min((at for at in ends if at is not None), default=None)
        name, customer = ident(one), ident(one, "customer")
        sent = text(one, "collection_method") == "send_invoice"
        if name is None or customer is None or renews_at is None or sent or flag(one, "cancel_at_period_end"):
            continue
        wishes = (
            mapping(one, "default_payment_method"),
            part(one, "customer", "invoice_settings", "default_payment_method"),
        )
        method = next((mapping(wish) for wish in wishes if mapping(wish) is not None), None)
        yield Renewal(subscription=name, customer=customer, renews_at=renews_at, card=card_of_method(method))
