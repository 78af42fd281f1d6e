"""The obligation as the gateway shows it. Without it every caller would read invoices in a shape of its own."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from recovery.declines.signals import Card, Initiator, Signals
from recovery.money import Money
from recovery.values import quick


class ObligationStatus(StrEnum):
    """What the gateway says of the invoice."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


class ChargeStatus(StrEnum):
    """What became of one charge."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PENDING = "pending"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One charge on an obligation, whoever started it, as read at the gateway.

    ``succeeded_at`` is set where the gateway tells when the money came; a processing charge succeeds days after it was made.
    """

    id: str
    status: ChargeStatus
    amount: Money
    created_at: datetime
    card: Card | None = None
    signals: Signals | None = None
    initiator: Initiator | None = None
    idempotency_key: str | None = None
    succeeded_at: datetime | None = None

    @property
    def brought_at(self) -> datetime:
        """The instant at which the money counts as recovered."""
        return self.succeeded_at or self.created_at


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """An invoice read at the gateway: what is owed, by whom, how it may be paid, and the charges made on it.

    ``remaining`` is what is still owed. ``charges`` are ordered, oldest first. ``paid_out_of_band`` is True when the
    merchant recorded a payment that never went through the gateway. ``gateway_retry_at`` is set when the gateway
    itself means to try again, which must not be. ``awaits_customer`` is True when a payment of it waits for the customer to
    authenticate. ``subscribed_at``, ``trial_ended_at`` and ``interval`` (month, year) speak of the
    subscription, ``country`` and ``region`` (state or province) of the customer's address; None where the gateway does not tell.
    """

    id: str
    customer: str
    status: ObligationStatus
    remaining: Money
    livemode: bool
    charge_automatically: bool
    billing_reason: str | None
    created_at: datetime
    subscription: str | None = None
    subscription_live: bool = True
    pays_by_card: bool = True
    paid_at: datetime | None = None
    paid_out_of_band: bool = False
    gateway_retry_at: datetime | None = None
    awaits_customer: bool = False
    subscribed_at: datetime | None = None
    trial_ended_at: datetime | None = None
    interval: str | None = None
    interval_count: int = 1
    country: str | None = None
    region: str | None = None
    card: Card | None = None
    charges: tuple[Charge, ...] = field(default=())

    @property
    def succeeded(self) -> tuple[Charge, ...]:
        """The charges that brought money."""
        return self._of(ChargeStatus.SUCCEEDED) if self.charges else ()

    @property
    def pending(self) -> tuple[Charge, ...]:
        """The charges that are accepted but undecided."""
        return self._of(ChargeStatus.PENDING) if self.charges else ()

    @property
    def last_failure(self) -> Charge | None:
        """The newest charge that failed, or None."""
        failed = self._of(ChargeStatus.FAILED)
        return failed[-1] if failed else None

    def _of(self, status: ChargeStatus) -> tuple[Charge, ...]:
        return tuple([charge for charge in self.charges if charge.status is status])
