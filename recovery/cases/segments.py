"""Who is asked to pay, and what is different for them. Without segments a trial and a customer of years would get the same care."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, ClassVar

from recovery.cases.obligation import Obligation
from recovery.money import Money
from recovery.values import quick

_FORBID: Any = {"extra": "forbid"}

MONTH_DAYS = 30.4375
"""The mean length of a month, by which tenure is counted."""

TRIAL_GRACE_DAYS = 2.0
"""An invoice made within this time of the trial's end is the first one after it."""

JOINT = "+"
"""Between the names of the segments that a case belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Whom a segment is for; what is not given does not matter. Tenure counts from the subscription's start to the failure.

    Amounts are minor units by currency; a currency that is not listed does not match.
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    trial: bool | None = None
    tenure_months_min: float | None = None
    tenure_months_below: float | None = None
    interval: str | None = None
    amount_minor_min: Mapping[str, int] = field(default_factory=dict)
    amount_minor_below: Mapping[str, int] = field(default_factory=dict)

    def matches(self, person: "Standing") -> bool:
        """Whether a case belongs; what is not known about it matches nothing."""
        months = person.tenure_months
        return (
            (self.trial is None or self.trial == person.trial)
            and (self.tenure_months_min is None or (months is not None and months >= self.tenure_months_min))
            and (self.tenure_months_below is None or (months is not None and months < self.tenure_months_below))
            and (self.interval is None or self.interval == person.interval)
            and (not self.amount_minor_min or _reaches(person.amount, self.amount_minor_min))
            and (not self.amount_minor_below or _below(person.amount, self.amount_minor_below))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One group of cases and the policy values that differ for it, in the words of the policy file."""

    __pydantic_config__: ClassVar[Any] = _FORBID
    name: str
    who: Who
    change: Mapping[str, Any]


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known about customer and subscription when a case opens; None where the gateway does not tell."""

    amount: Money
    tenure_months: float | None = None
    trial: bool | None = None
    interval: str | None = None

    @classmethod
    def of(cls, obligation: Obligation, *, failed_at: datetime) -> "Standing":
        """As an obligation shows it at the instant of its failure."""
        since, ended_at = obligation.subscribed_at, obligation.trial_ended_at
        trial = None
        if since is not None:
            trial = (
                ended_at is not None and (obligation.created_at - ended_at).total_seconds() <= TRIAL_GRACE_DAYS * 86400
            )
        return cls(
            amount=obligation.remaining,
            tenure_months=tenure_months(since, failed_at),
            trial=trial,
            interval=obligation.interval,
        )


def tenure_months(since: datetime | None, failed_at: datetime) -> float | None:
    """How long a subscription had been kept when its payment failed; None where its start is not known."""
    return None if since is None else (failed_at - since).total_seconds() / 86400 / MONTH_DAYS


def segment_of(segments: tuple[Segment, ...], person: Standing) -> str:
    """The names of all segments that match, in the file's order."""
    return JOINT.join(segment.name for segment in segments if segment.who.matches(person))


def changed(value: Any, change: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any dataclass of the policy
    """A policy value with some of its fields replaced, at any depth. Raises ValueError for a field that does not exist."""
    known = {each.name for each in fields(value)}
    strange = sorted(set(change) - known)
    if strange:
        raise ValueError(f"there is no {', '.join(strange)} to change")
    return replace(value, **{name: _new(getattr(value, name), wish) for name, wish in change.items()})


def _new(old: Any, wish: Any) -> Any:  # noqa: ANN401
    if isinstance(wish, Mapping) and isinstance(old, Mapping):
        keys = {str(getattr(key, "value", key)): key for key in old}
        strange = sorted(set(wish) - set(keys))
        if strange:
            raise ValueError(f"there is no {', '.join(strange)} to change")
        return {**old, **{keys[name]: changed(old[keys[name]], each) for name, each in wish.items()}}
    if isinstance(wish, Mapping):
        return changed(old, wish)
    return tuple(wish) if isinstance(wish, list | tuple) else wish


def _reaches(amount: Money, bounds: Mapping[str, int]) -> bool:
    return amount.currency in bounds and amount.minor >= bounds[amount.currency]


def _below(amount: Money, bounds: Mapping[str, int]) -> bool:
    return amount.currency in bounds and amount.minor < bounds[amount.currency]
