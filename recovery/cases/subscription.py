"""One subscription as a gateway lists it. Without it churn would have no denominator: cases know only those whose payment failed."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSubscription:
    """One subscription in the gateway's own list. ``amount_minor`` is paid every ``interval_count`` intervals (day, week, month, year).

    ``ended_because`` is the gateway's word: cancellation_requested, payment_failed, payment_disputed.
    """

    id: str
    customer: str
    currency: str
    amount_minor: int
    interval: str | None
    interval_count: int
    started_at: datetime
    ended_at: datetime | None
    ended_because: str | None
