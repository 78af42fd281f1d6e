"""What the simulated gateway knows: invoices, cards, and a ledger of its own. The judge of every run, apart from the engine."""

from dataclasses import dataclass, field
from datetime import datetime

from recovery.cases.obligation import Charge, ChargeStatus, ObligationStatus
from recovery.cases.wallet import KeptCard, Place, Wallet, ordered
from recovery.declines.signals import Card, Initiator, Signals
from recovery.money import Money


@dataclass(slots=True, kw_only=True)
class Customer:
    """A customer with cards on file; ``zone`` is the one that their address in ``country`` lies in, where it tells any."""

    id: str
    default: Card | None
    own_cards: list[Card] = field(default_factory=list)
    country: str | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """What the gateway tells of a subscription, where it tells anything."""

    subscribed_at: datetime | None = None
    trial_ended_at: datetime | None = None
    interval: str | None = None


UNTOLD = Since()


@dataclass(slots=True, kw_only=True)
class Invoice:
    """One obligation. ``card`` is the subscription's own default, which comes before the customer's."""

    id: str
    customer: str
    subscription: str
    status: ObligationStatus
    remaining: Money
    created_at: datetime
    card: Card | None = None
    subscription_ended_at: datetime | None = None
    ended_at: datetime | None = None
    paid_at: datetime | None = None
    pays_by_card: bool = True
    gone: bool = False
    since: Since = UNTOLD


@dataclass(slots=True, kw_only=True)
class Booked:
    """One charge as the ledger has it. ``machine_at`` is real time; ``beyond`` marks one that landed later than any call may."""

    id: str
    obligation: str
    key: str | None
    initiator: Initiator
    amount: Money
    at: datetime
    machine_at: datetime
    status: ChargeStatus
    card: Card
    signals: Signals | None = None
    beyond: bool = False

    def as_charge(self) -> Charge:
        """As a reading shows it: nobody's name is on a charge."""
        return Charge(
            id=self.id,
            status=self.status,
            amount=self.amount,
            created_at=self.at,
            card=self.card,
            signals=self.signals if self.status is ChargeStatus.FAILED else None,
        )


@dataclass(slots=True, kw_only=True)
class Returned:
    """A refund or a dispute of a charge. ``status`` in the gateway's words."""

    id: str
    charge: str
    obligation: str
    amount: Money
    at: datetime
    status: str
    dispute: bool


@dataclass(slots=True, kw_only=True)
class Called:
    """One pay call of the engine as it arrived: which key, when, and what became of it."""

    key: str
    obligation: str
    at: datetime
    machine_at: datetime
    fault: str | None = None
    landed_at: datetime | None = None
    refused: str | None = None
    lands_at: datetime | None = None
    behind: datetime | None = None
    """When in real time the charge was made that was processing as this one arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailed:
    """One email as it reached its customer's mail server."""

    message_id: str
    at: datetime
    machine_at: datetime

    @property
    def email_id(self) -> str:
        """Our own name of it, which its Message-ID begins with."""
        return self.message_id.strip("<>").partition("@")[0]


@dataclass(slots=True)
class Books:
    """All of it."""

    customers: dict[str, Customer] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    charges: dict[str, Booked] = field(default_factory=dict)
    returned: dict[str, Returned] = field(default_factory=dict)
    calls: list[Called] = field(default_factory=list)
    keys: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    moods: dict[str, str] = field(default_factory=dict)
    saved_at: dict[str, datetime] = field(default_factory=dict)
    """When each payment method was saved, in whole seconds."""
    arrived: list[tuple[datetime, str, Card, bool]] = field(default_factory=list)
    """Details that came to be charged by default: when, whose, which, and whether the customer saved them."""
    corrected: list[tuple[datetime, str, Card]] = field(default_factory=list)
    """Billing addresses that were corrected: when (in whole seconds), whose, of which card."""
    closed: list[tuple[datetime, Card]] = field(default_factory=list)
    """What the updater, being asked, called closed."""
    shown: dict[str, list[tuple[datetime, Wallet]]] = field(default_factory=dict)
    """What the engine was shown of the cards for each invoice, and when in real time."""
    owed: dict[str, list[tuple[datetime, Money]]] = field(default_factory=dict)
    """What the engine was shown of what remains of each invoice, and when in real time."""
    hasty: list[str] = field(default_factory=list)
    """Attempts that were settled by a reading while their request might still land, in words."""
    consents: dict[str, bool] = field(default_factory=dict)
    """What each customer said about backup cards; the others said nothing."""

    def of(self, obligation: str) -> list[Booked]:
        """The charges of an invoice, oldest first."""
        return [charge for charge in self.charges.values() if charge.obligation == obligation]

    def by_key(self, key: str) -> Booked | None:
        """The charge that a key made, or None; the newest, where the key was forgotten in between."""
        return next((charge for charge in reversed(self.charges.values()) if charge.key == key), None)

    def pending(self, obligation: str) -> Booked | None:
        """The undecided charge of an invoice, or None."""
        return next((c for c in self.of(obligation) if c.status is ChargeStatus.PENDING), None)

    def wallet_of(self, invoice: Invoice) -> Wallet:
        """All cards of the invoice's customer, as a reading shows them."""
        customer = self.customers[invoice.customer]
        placed = [(invoice.card, Place.SUBSCRIPTION), (customer.default, Place.CUSTOMER)]
        placed += [(card, Place.ATTACHED) for card in customer.own_cards]
        kept: dict[str, KeptCard] = {}
        for card, place in placed:
            if card is not None:
                name = card.payment_method
                made = KeptCard(
                    card=card, place=place, saved_at=self.saved_at.get(name), consent=self.consents.get(customer.id)
                )
                kept.setdefault(name, made)
        return Wallet(default=self.card_of(invoice), cards=ordered(list(kept.values())))

    def card_of(self, invoice: Invoice) -> Card | None:
        """What the next payment would use."""
        return invoice.card or self.customers[invoice.customer].default
