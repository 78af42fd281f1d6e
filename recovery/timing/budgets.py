"""How often a card may still be tried. Without it eager retries would break the networks' rules and cost a fee each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from recovery.declines.networks import Cap, Counted, RulePack
from recovery.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One attempt on a card that counts, or may come to count: by us on any case, by the gateway or by the customer.

    ``declined`` is None while nobody knows: an open attempt is reserved and counts as if it were declined.
    """

    at: datetime
    amount: Money
    declined: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """When the next attempt fits: the earliest instant, how many fit then (this one included), and which cap binds."""

    at: datetime
    left: int
    cap: Cap
    pack: str

    def brief(self) -> str:
        """For reasons: "attempt 3 of 20 in 30 days allowed by visa-2026-04"."""
        days = self.cap.window_hours / 24
        span = f"{days:g} days" if days >= 1 else f"{self.cap.window_hours} hours"
        number = self.cap.tries_max - self.left + 1
        return f"attempt {number} of {self.cap.tries_max} in {span} allowed by {self.pack}"


def counted_uses(cap: Cap, uses: Sequence[Use], amount: Money) -> list[datetime]:
    """The instants that a cap counts, oldest first."""
    return sorted(
        use.at
        for use in uses
        if (not cap.per_amount or use.amount == amount)
        and (cap.counted is Counted.ATTEMPTS or use.declined is not False)
    )


def room(pack: RulePack, *, uses: Sequence[Use], amount: Money, at: datetime) -> Room:
    """The earliest instant from ``at`` on at which one more attempt keeps every cap of the pack, in rolling windows.

    An attempt exactly one window after another no longer shares its window.
    """
    binding = [_room_under(cap, counted_uses(cap, uses, amount), at, pack.name()) for cap in pack.caps]
    latest = max(binding, key=lambda r: (r.at, -r.left))
    if latest.at == at:
        return min(binding, key=lambda r: r.left)
    return latest


def _room_under(cap: Cap, used: list[datetime], at: datetime, pack: str) -> Room:
    window = timedelta(hours=cap.window_hours)
    recent = [u for u in used if u > at - window]
    if len(recent) >= cap.tries_max:
        at = recent[len(recent) - cap.tries_max] + window
        recent = [u for u in recent if u > at - window]
    return Room(at=at, left=cap.tries_max - len(recent), cap=cap, pack=pack)
