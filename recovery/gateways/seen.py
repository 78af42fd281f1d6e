"""What a gateway's own lists show: to compare with the ledger, to count who left, to look ahead. Without types of their own these
would be taken for what the engine decides on, which is read more carefully."""

from dataclasses import dataclass
from datetime import datetime

from recovery.cases.past import PastCharge as PastCharge
from recovery.cases.past import PastInvoice as PastInvoice
from recovery.cases.subscription import SeenSubscription as SeenSubscription
from recovery.declines.signals import Card
from recovery.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCharge:
    """One charge in the gateway's own list."""

    id: str
    customer: str | None
    amount: Money
    succeeded: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenReversal:
    """One refund or dispute in the gateway's own list; ``status`` as in Reversal."""

    id: str
    dispute: bool
    charge_id: str
    amount: Money
    status: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionsPage:
    """One page of subscriptions; ``last`` is what the next page begins behind, None after the last page."""

    subscriptions: tuple[SeenSubscription, ...]
    last: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargesPage:
    """One page of past charges; ``last`` as above."""

    charges: tuple[PastCharge, ...]
    last: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicesPage:
    """One page of past invoices; ``last`` as above."""

    invoices: tuple[PastInvoice, ...]
    last: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A subscription that will be charged by itself: when next, and on which card; None where that is no card."""

    subscription: str
    customer: str
    renews_at: datetime
    card: Card | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalPage:
    """One page of them. ``behind`` continues the list; None when it ends. ``odd`` says what of it could not be read, in words."""

    renewals: tuple[Renewal, ...]
    behind: str | None
    odd: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedObligation:
    """An open invoice as the gateway's list shows it."""

    id: str
    created_at: datetime
