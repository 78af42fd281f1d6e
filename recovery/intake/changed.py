"""What events about cards and subscriptions mean. Without them a new card would be noticed at the next planned reading, days later.

They also keep the list of renewals to come true between the gateway's own listings: what they name is read again by the look-ahead.
"""

from typing import Final

from recovery.cases.facts import PaymentMethodChanged, SubscriptionCancelled
from recovery.gateways.port import BILLING_ADDRESS
from recovery.intake.desk import Desk, tell
from recovery.intake.idle import is_idle
from recovery.intake.outcome import Done, Held
from recovery.storage.card_history import customer_of_card, note_correction
from recovery.storage.case_store import cases_of
from recovery.storage.connect import reading
from recovery.storage.news_store import note_card_news, note_subscription_news

_OF_A_CARD: Final = frozenset({"payment_method.updated", "customer.source.updated"})
_OWN_CARD: Final = frozenset({"default_payment_method", "default_source"})


def subscription_changed(desk: Desk) -> Done | Held:
    """A subscription began, changed or ended."""
    subscription, kind = desk.event.object_id, desk.event.kind
    with desk.door.database.begin() as tx:
        note_subscription_news(tx, desk.gateway.name, subscription, kind=kind, moment=desk.door.moment())
    if kind.endswith("created"):
        return Done("noted for looking ahead")
    if kind.endswith("updated") and desk.text("status") != "canceled":
        return _goes_on(desk, subscription)
    detail = desk.text("cancel_reason")
    with reading(desk.door.database) as tx:
        known = cases_of(tx, subscription=subscription)
    return tell(desk, known, SubscriptionCancelled(subscription=subscription, at=desk.event.created_at, detail=detail))


def _goes_on(desk: Desk, subscription: str) -> Done | Held:
    """Its own default card comes before the customer's; an event that only names the subscription may mean anything."""
    changed = (desk.text("changed") or "").split()
    if desk.text("status") is not None and not _OWN_CARD & set(changed):
        return Done("the subscription goes on")
    with reading(desk.door.database) as tx:
        known = cases_of(tx, subscription=subscription)
    what = "the gateway says: the subscription's card changed"
    return tell(desk, known, PaymentMethodChanged(event_id=desk.event.id, what=what))


def card_changed(desk: Desk) -> Done | Held:
    """Something about a customer's cards changed; an event that only names the customer may mean anything."""
    if is_idle(desk.event.kind, desk.event.content):
        return Done("no card of the customer changed")
    customer = desk.text("customer") or _holder(desk)
    if customer is None:
        return Done("belongs to no customer")
    with desk.door.database.begin() as tx:
        note_card_news(tx, desk.gateway.name, customer, kind=desk.event.kind, moment=desk.door.moment())
        known = cases_of(tx, customer=customer)
        corrected = _corrected(desk)
        if corrected is not None:
            note_correction(tx, desk.gateway.name, corrected, at=desk.event.created_at, moment=desk.door.moment())
    what = desk.event.kind.replace("_", " ").replace(".", " ") + (", its billing address" if corrected else "")
    said = f"the gateway says: {what}"
    at = desk.event.created_at
    return tell(desk, known, PaymentMethodChanged(event_id=desk.event.id, what=said, corrected=corrected, at=at))


def _corrected(desk: Desk) -> str | None:
    """The payment method whose billing address was changed; None where the event tells of no such thing."""
    changed = (desk.text("changed") or "").split()
    return desk.text("payment_method") if BILLING_ADDRESS in changed and desk.event.kind in _OF_A_CARD else None


def _holder(desk: Desk) -> str | None:
    """Whose card it is, where the event names nothing but the card: as we last read it, else as the gateway says now."""
    card = desk.text("payment_method")
    if card is None:
        return None
    with reading(desk.door.database) as tx:
        known = customer_of_card(tx, desk.gateway.name, card)
    return known or desk.gateway.holder_of(card)
