"""What happened to the customer's cards, in the past tense. Without these facts a new card would be just another webhook."""

from dataclasses import dataclass
from datetime import datetime

from recovery.cases.obligation import Obligation
from recovery.cases.updating import Freshness, Unsupported
from recovery.cases.wallet import KeptCard
from recovery.declines.signals import Card
from recovery.values import quick

_UNASKED = Unsupported()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class CardRefreshed:
    """The obligation and the customer's cards were read again.

    ``card`` is what the gateway would charge by default, None when that is no usable card; ``cards`` are all of them. ``updater`` is
    what the gateway's updater answered about the card ``asked`` after, where it can be asked; ``odd`` what about the customer was not
    as it should be.
    """

    obligation: Obligation
    card: Card | None
    step_id: int
    cards: tuple[KeptCard, ...] = ()
    asked: Card | None = None
    updater: Freshness = _UNASKED
    odd: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"step:{self.step_id}:refreshed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardKept:
    """The card that paid was made the subscription's own; or was not, and ``refused`` says why."""

    step_id: int
    payment_method: str
    refused: str | None = None

    @property
    def key(self) -> str:
        return f"step:{self.step_id}:kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethodChanged:
    """Something about the customer's cards changed at the gateway; what, a refresh will tell. ``event_id`` names the event.

    ``corrected`` is the payment method whose billing address was changed, ``at`` the gateway's instant of it: no reading tells of that.
    """

    event_id: str
    what: str
    corrected: str | None = None
    at: datetime | None = None

    @property
    def key(self) -> str:
        return f"event:{self.event_id}:card"
