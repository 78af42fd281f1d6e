"""What happened to the money and to what is owed, in the past tense. Without it a late refund would have nowhere to go."""

from dataclasses import dataclass
from datetime import datetime

from recovery.cases.obligation import Charge, Obligation
from recovery.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicePaid:
    """The obligation was found paid. ``charges`` are those that brought money, with their initiator and key if known.

    Knowing whose a charge is makes another fact: it settles what a mere reading left in doubt.
    """

    obligation_id: str
    charges: tuple[Charge, ...]
    at: datetime

    @property
    def key(self) -> str:
        named = (c.id if c.initiator or c.idempotency_key else f"{c.id}?" for c in self.charges)
        return f"obligation:{self.obligation_id}:paid:" + ",".join(sorted(named))


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPaid:
    """Money came in, and something is still owed. Never by an attempt of ours: those pay all that remains."""

    obligation: Obligation

    @property
    def key(self) -> str:
        return f"obligation:{self.obligation.id}:part:" + ",".join(sorted(c.id for c in self.obligation.succeeded))


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceVoided:
    """The merchant voided the invoice: nothing is owed any more."""

    obligation_id: str
    at: datetime

    @property
    def key(self) -> str:
        return f"obligation:{self.obligation_id}:void"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceWrittenOff:
    """The merchant marked the invoice uncollectible."""

    obligation_id: str
    at: datetime

    @property
    def key(self) -> str:
        return f"obligation:{self.obligation_id}:uncollectible"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionCancelled:
    """The subscription ended during recovery: a loss of its own kind. ``detail`` is the gateway's reason, if any."""

    subscription: str
    at: datetime
    detail: str | None = None

    @property
    def key(self) -> str:
        return f"subscription:{self.subscription}:cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefunded:
    """Money of a charge went back. ``failed`` when a refund announced before did not go through after all."""

    refund_id: str
    charge_id: str
    amount: Money
    at: datetime
    failed: bool = False

    @property
    def key(self) -> str:
        return f"refund:{self.refund_id}:{'failed' if self.failed else 'made'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeOpened:
    """The cardholder disputes a charge."""

    dispute_id: str
    charge_id: str
    amount: Money
    at: datetime

    @property
    def key(self) -> str:
        return f"dispute:{self.dispute_id}:opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeClosed:
    """A dispute was decided."""

    dispute_id: str
    charge_id: str
    amount: Money
    at: datetime
    won: bool

    @property
    def key(self) -> str:
        return f"dispute:{self.dispute_id}:{'won' if self.won else 'lost'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeCharged:
    """The gateway kept a fee, or gave one back. ``amount`` is never negative, and may be zero.

    ``ref`` is the charge for its own fee, and the line of the gateway's balance for what a refund or dispute cost besides.
    """

    ref: str
    charge_id: str
    amount: Money
    at: datetime
    returned: bool = False

    @property
    def key(self) -> str:
        return f"fee:{self.ref}"
