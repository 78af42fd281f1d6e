"""How often a card may still be tried. Without it eager retries would break the networks' rules and cost a fee each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from recovery.declines.networks import Cap, Counted, RulePack
from recovery.money import Money
from recovery.values import quick


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One attempt on a card that counts, or may come to count: by us on any case, by the gateway or by the customer.

    ``declined`` is None while nobody knows: an open attempt is reserved and counts as if it were declined.
    """

    at: datetime
    amount: Money
    declined: bool | None
    by_customer: bool = False


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """When the next attempt fits under one cap: the earliest instant, and how many fit then (this one included)."""

    at: datetime
    left: int
    cap: Cap

    def brief(self) -> str:
        """For reasons: "3 of 20 in 30 days"."""
        return f"{self.cap.tries_max - self.left + 1} of {self.cap.tries_max} in {self.cap.span}"


def counted_uses(cap: Cap, uses: Sequence[Use], amount: Money) -> list[datetime]:
    """The instants that a cap counts, oldest first."""
    declines_only, customers_too = cap.counted is Counted.DECLINES, cap.customer_tries
    return sorted(
        [
            use.at
            for use in uses
            if (not cap.per_amount or use.amount == amount)
            and not (declines_only and use.declined is False)
            and (customers_too or not use.by_customer)
        ]
    )


def rooms(pack: RulePack, *, uses: Sequence[Use], amount: Money, at: datetime) -> tuple[Room, ...]:
    """For each cap of the pack, the earliest instant from ``at`` on at which one more attempt keeps it, in rolling windows.

    An attempt exactly one window after another no longer shares its window.
    """
    return tuple([_room_under(cap, counted_uses(cap, uses, amount), at) for cap in pack.caps])


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What remains under one cap at an instant."""

    used: int
    tries_max: int
    span: str

    def brief(self) -> str:
        """For reasons: "17 of 20 in 30 days left"."""
        return f"{max(self.tries_max - self.used, 0)} of {self.tries_max} in {self.span} left"


def remaining(pack: RulePack, *, uses: Sequence[Use], amount: Money, at: datetime) -> tuple[Left, ...]:
    """What remains of each budget of the pack at ``at``, in its rolling window that ends then."""
    found = []
    for cap in pack.caps:
        since = at - timedelta(hours=cap.window_hours)
        used = sum(1 for used_at in counted_uses(cap, uses, amount) if used_at > since)
        found.append(Left(used=used, tries_max=cap.tries_max, span=cap.span))
    return tuple(found)


def earliest(pack: RulePack, *, uses: Sequence[Use], amount: Money, at: datetime) -> datetime:
    """The earliest instant from ``at`` on at which there is room under every cap of the pack."""
    found, tries = at, len(uses)
    for cap in pack.caps:
        # Fewer uses than a cap allows, whatever their age, cannot use it up: with most cards nothing has to be counted.
        if tries >= cap.tries_max:
            found = max(found, _room_under(cap, counted_uses(cap, uses, amount), at).at)
    return found


def beyond(pack: RulePack, *, uses: Sequence[Use], amount: Money, at: datetime) -> bool:
    """Whether one more try at ``at`` breaks a cap of the pack. What plans tries and what counts those that broke a cap ask alike."""
    return earliest(pack, uses=uses, amount=amount, at=at) > at


def budget_brief(pack: RulePack, found: Sequence[Room]) -> str:
    """For reasons: "attempt 3 of 20 in 30 days allowed by visa-2026-04"."""
    return f"attempt {' and '.join(room.brief() for room in found)} allowed by {pack.name()}"


def _room_under(cap: Cap, used: list[datetime], at: datetime) -> Room:
    window = timedelta(hours=cap.window_hours)
    since = at - window
    recent = [u for u in used if u > since]
    if len(recent) >= cap.tries_max:
        at = recent[len(recent) - cap.tries_max] + window
        recent = [u for u in recent if u > at - window]
    return Room(at=at, left=cap.tries_max - len(recent), cap=cap)
