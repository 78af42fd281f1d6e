"""Invoices and charges from before the engine was there. Without them budgets would begin empty on cards tried before."""

from dataclasses import dataclass
from datetime import datetime

from recovery.declines.signals import Card
from recovery.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCharge:
    """One charge in the gateway's own list. ``succeeded`` is None while nobody knows; one that the network never saw counts nowhere."""

    id: str
    customer: str | None
    amount: Money
    created_at: datetime
    card: Card | None
    succeeded: bool | None
    reached_network: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PastInvoice:
    """One invoice that was charged automatically: what it asked for when it was made, and the gateway's word for where it stands.

    ``first``: it began a subscription, which is a matter of the checkout.
    """

    id: str
    customer: str
    subscription: str | None
    amount: Money
    created_at: datetime
    state: str
    first: bool = False
