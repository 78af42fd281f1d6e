"""The port to a payment gateway. Without it every gateway's habits would leak into the engine.

Everything that may be wrong in the ordinary course (a decline, an unpaid invoice, an unchanged card) is a value. What raises is
below: GatewayUnavailable (try later), GatewayMisconfigured (nobody should try), GatewayRefused (this read never works as it is),
NotFound (the object does not exist), SignatureRejected and PayloadRejected (a webhook that is not the gateway's, or not readable).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from recovery.cases.answers import Answer
from recovery.cases.case import Attempt
from recovery.cases.obligation import Obligation, ObligationStatus
from recovery.cases.updating import Freshness, UpdaterWay
from recovery.cases.wallet import KeptCard, Wallet
from recovery.declines.signals import Card
from recovery.gateways.seen import ChargesPage as ChargesPage
from recovery.gateways.seen import InvoicesPage as InvoicesPage
from recovery.gateways.seen import ListedObligation as ListedObligation
from recovery.gateways.seen import Renewal as Renewal
from recovery.gateways.seen import RenewalPage as RenewalPage
from recovery.gateways.seen import SeenCharge as SeenCharge
from recovery.gateways.seen import SeenReversal as SeenReversal
from recovery.gateways.seen import SeenSubscription as SeenSubscription
from recovery.gateways.seen import SubscriptionsPage as SubscriptionsPage
from recovery.money import Money


class GatewayError(Exception):
    """The gateway could not do what was asked."""


class GatewayUnavailable(GatewayError):
    """The gateway did not answer, limited our rate or failed; the same read may succeed later."""


class GatewayMisconfigured(GatewayError):
    """The gateway refused our key or its rights (401, 403); a person must correct the settings."""


class GatewayRefused(GatewayError):
    """The gateway calls the read itself wrong (400), or answered something without meaning: the same read fails again."""


class NotFound(GatewayError):
    """The gateway knows no such object under our key."""


class SignatureRejected(GatewayError):
    """The webhook is not signed by the gateway with one of our secrets, or its signature is too old."""


class PayloadRejected(GatewayError):
    """The webhook is signed but cannot be read as an event."""


BILLING_ADDRESS: Final = "billing_address"
"""What a notice's ``changed`` says where a card's billing address was changed; of the address nothing is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One event from the gateway, reduced to an allow-list of fields.

    ``content`` keeps identifiers, states, amounts and codes only; no name, address or email. ``object_id`` is the object the event is
    about. ``idempotency_key`` is the key of the call that caused it, ``caused_by_request`` whether any API call caused it.
    """

    id: str
    kind: str
    livemode: bool
    created_at: datetime
    object_id: str
    content: Mapping[str, Any]
    idempotency_key: str | None = None
    caused_by_request: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeOrder:
    """One attempt to be made: pay this obligation with this payment method. ``key`` is attempt id and idempotency key.

    ``started_at`` is business time of the intent, to look for the attempt afterwards.
    """

    key: str
    obligation: str
    payment_method: str
    amount: Money
    started_at: datetime

    @classmethod
    def of(cls, attempt: Attempt, obligation: str) -> "ChargeOrder":
        """The order for one attempt; the same whenever the gateway is asked about that attempt."""
        return cls(
            key=attempt.id,
            obligation=obligation,
            payment_method=attempt.card.payment_method,
            amount=attempt.amount,
            started_at=attempt.started_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """How to reach a customer. Read when writing, never stored, never logged."""

    email: str | None
    name: str | None
    locale: str | None
    hosted_url: str | None

    def __repr__(self) -> str:
        return "Contact(…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """One line of the gateway's balance with what it kept; ``id`` is the line's. A negative amount was given back.

    The currency is that of the balance, which may differ from the charge's.
    """

    id: str
    charge_id: str
    amount: Money
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """Money that went back: one refund or dispute, mapped to the obligation whose charge it concerns.

    ``status`` is the gateway's word: refunds pending/succeeded/failed…, disputes needs_response/under_review/won/lost…; one that
    was prevented is won or lost by whether it took money.
    ``ended_at`` is when it was decided or undone, if the gateway tells. ``fees`` are what it cost besides.
    """

    id: str
    obligation: str
    charge_id: str
    amount: Money
    status: str
    occurred_at: datetime
    ended_at: datetime | None = None
    fees: tuple[Fee, ...] = ()


FAILED_REFUND: Final = frozenset({"failed", "canceled"})
WON_DISPUTE: Final = frozenset({"won", "warning_closed"})
CLOSED_DISPUTE: Final = WON_DISPUTE | {"lost"}
"""The gateway's words for how a refund or dispute ended. An inquiry that was closed took nothing in the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the gateway says about our access: the doctor's view."""

    account: str
    livemode: bool
    detail: str


class Gateway(Protocol):
    """What the engine asks of a gateway. All reads raise GatewayUnavailable, GatewayMisconfigured, GatewayRefused or NotFound."""

    name: str
    livemode: bool
    """Whether our key moves real money."""
    updater: UpdaterWay
    """What the gateway's card updater can do."""
    call_bound_seconds: float
    """Longest time that ``charge`` can take in all, with its repeats. Leases are longer than this."""

    def verify(self, body: bytes, signature: str, *, machine_now: datetime) -> Notice:
        """Check a webhook's signature over the raw body and reduce it. Raises SignatureRejected, PayloadRejected."""
        ...

    def read_obligation(self, obligation: str) -> Obligation:
        """The invoice with its charges, its current amount, and the card the next payment would use.

        Once it is paid, its charges say who started them, as far as the gateway tells.
        """
        ...

    def obligation_of(self, *, payment_intent: str | None = None, charge: str | None = None) -> str | None:
        """The invoice a payment belongs to, or None when it belongs to none."""
        ...

    def obligations_of_customer(self, customer: str) -> tuple[str, ...]:
        """The customer's open invoices, oldest first."""
        ...

    def open_obligations(self) -> Iterator[ListedObligation]:
        """Every open invoice that is charged automatically, page by page, in no order."""
        ...

    def read_wallet(self, obligation: Obligation) -> Wallet:
        """The customer's cards: the subscription's default, the customer's default, then the others. Read afresh."""
        ...

    def read_owed(self, obligation: str) -> tuple[Obligation, Wallet]:
        """The invoice and, while it is open, the customer's cards, in as few reads as the gateway needs for both."""
        found = self.read_obligation(obligation)
        return found, self.read_wallet(found) if found.status is ObligationStatus.OPEN else Wallet()

    def ask_updater(self, card: Card) -> Freshness:
        """Ask the networks for newer details, which a reading then shows. Unsupported unless the updater works on demand."""
        ...

    def charge(self, order: ChargeOrder) -> Answer:
        """Make one attempt, off-session, with its repeats inside ``call_bound_seconds``. Never raises for the gateway's sake."""
        ...

    def settle(self, order: ChargeOrder) -> Answer | None:
        """Find out by reading what became of an attempt. None: no trace of it exists and the obligation is unpaid."""
        ...

    def make_default(self, subscription: str, payment_method: str) -> None:
        """Let a subscription go on with a card of its customer. Saying it twice changes nothing. Raises as reads do."""
        ...

    def read_reversals(self, charge: str) -> tuple[tuple[Reversal, ...], tuple[Reversal, ...]]:
        """All refunds and all disputes of one charge; both empty when the charge belongs to no invoice."""
        ...

    def charge_of(self, reversal: str, *, dispute: bool) -> str | None:
        """The charge that a refund, or a dispute, takes back."""
        ...

    def read_charge(self, charge: str) -> SeenCharge:
        """One charge as the gateway's list shows it."""
        ...

    def charges_between(self, start: datetime, end: datetime) -> Iterator[SeenCharge]:
        """All charges that were made in a stretch of time, page by page; each page within the bound of a call."""
        ...

    def reversals_between(self, start: datetime, end: datetime) -> Iterator[SeenReversal]:
        """All refunds and disputes that were made in a stretch of time, in the same way."""
        ...

    def subscriptions_page(self, *, behind: str | None) -> SubscriptionsPage:
        """One page of all subscriptions there ever were, newest first."""
        ...

    def invoices_page(self, *, since: datetime, behind: str | None) -> InvoicesPage:
        """One page of the invoices since an instant that were charged automatically, newest first."""
        ...

    def charges_page(self, *, since: datetime, behind: str | None) -> ChargesPage:
        """One page of all charges since an instant, newest first."""
        ...

    def cards_of(self, customer: str, subscription: str | None) -> tuple[KeptCard, ...]:
        """A customer's cards in the order of charging, read afresh; none when the customer is gone."""
        ...

    def read_fee(self, charge: str) -> Fee | None:
        """What the gateway kept of a charge that succeeded; None as long as its balance does not show the charge."""
        ...

    def read_contact(self, obligation: str) -> Contact:
        """The customer's address and the page where this obligation can be paid."""
        ...

    def open_card_page(self, customer: str, *, return_url: str) -> str:
        """A page, made now and short-lived, where the customer enters another card; its address."""
        ...

    def notices_since(self, at: datetime) -> Iterator[Notice]:
        """The gateway's own list of events since an instant, oldest first, as verified notices."""
        ...

    def renewals(self, behind: str | None) -> RenewalPage:
        """A page of the subscriptions that renew by themselves, from the start or behind an earlier page."""
        ...

    def renewal(self, subscription: str) -> Renewal | None:
        """One subscription as such a list would show it; None when it does not renew by itself, or not any more."""
        ...

    def holder_of(self, payment_method: str) -> str | None:
        """The customer a stored card belongs to, or None when it belongs to none."""
        ...

    def standing(self) -> Standing:
        """Check the key by a harmless read."""
        ...
