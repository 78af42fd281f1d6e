"""The merchant's choices, as a typed value. Without it numbers of taste would hide in code and change under open cases."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, MinLen

from recovery.cases.campaigns import Campaign
from recovery.cases.holdout import Holdout
from recovery.cases.segments import JOINT, Segment, changed
from recovery.declines.classify import DeclineClass

_FORBID: Any = {"extra": "forbid"}

PLAIN_SLACK_DAYS = 2
"""How much later than its days the last try of a plain ladder may come: advice of a network and a busy gateway push it out."""

Threshold = Annotated[float, Ge(0), Le(1)]
Hours = Annotated[float, Ge(0), Le(366 * 24)]
"""A wait, of a year at most: longer than any horizon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """How silent tries of one decline class are spaced.

    ``gaps_hours`` are the waits before the 1st, 2nd, … try, counted from the try before (the last one repeats). At most
    ``tries_max`` tries follow declines of this class. With ``paydays`` the next payday of the issuer's country comes first if it
    lies at least ``payday_gap_hours`` after the last try, and not so long after the wait ends, or within ``payday_within_hours`` of the
    last try, or of the end of the wait that the network advised; None waits for any payday after advice. ``risk_max`` replaces the
    policy's. ``one_per_day`` allows one try per card and local day of the issuer. A try that would only come after the horizon is made
    before it instead, if that is at least ``last_gap_hours`` after the last one; None gives it up.
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    gaps_hours: Annotated[tuple[Hours, ...], MinLen(1)]
    tries_max: Annotated[int, Ge(1), Le(30)]
    paydays: bool = False
    payday_gap_hours: Hours = 20
    payday_within_hours: Hours | None = None
    risk_max: Threshold | None = None
    one_per_day: bool = True
    last_gap_hours: Hours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dunning:
    """After exhaustion: how long the customer has, when and how often they are written to, what is still tried meanwhile.

    Emails leave between ``opens`` and ``closes`` in the customer's local time, on weekends only with ``weekends``. Over all cases a
    customer gets one in ``customer_gap_hours`` and at most ``customer_emails_max`` in 30 days. ``silent_tries_max`` limits the silent
    tries on paydays between letters, ``wishes_max`` the dates that a customer may choose.
    ``ask_reason`` asks who was lost or cancelled on their page why, ``ask_reason_by_email`` once also by an email that leads there,
    ``ask_reason_after_days`` later.
    ``only_customer_wait_days`` holds letters back where only the customer can cure the decline and no silent try came before.
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    wait_days: Annotated[int, Ge(1), Le(180)] = 14
    email_tries_max: Annotated[int, Ge(1), Le(20)] = 6
    email_retry_hours: Annotated[Hours, Ge(0.1)] = 4
    opens: time = time(9, 0)
    closes: time = time(19, 0)
    weekends: bool = False
    customer_gap_hours: Hours = 20
    customer_emails_max: Annotated[int, Ge(1), Le(30)] = 8
    silent_tries_max: Annotated[int, Ge(0), Le(10)] = 2
    wishes_max: Annotated[int, Ge(0), Le(5)] = 2
    ask_reason: bool = False
    ask_reason_by_email: bool = False
    ask_reason_after_days: Annotated[float, Ge(0), Le(60)] = 1
    only_customer_wait_days: Annotated[float, Ge(0), Le(30)] = 0

    def __post_init__(self) -> None:
        if self.opens.tzinfo or self.closes.tzinfo:  # a bare number is read as seconds of UTC
            raise ValueError("dunning: opens and closes are the customer's local times, written like 09:00:00")
        if self.opens >= self.closes:
            raise ValueError(f"dunning: opens ({self.opens}) must be before closes ({self.closes})")


class BackupUse(StrEnum):
    """Whether the customer's other cards may be charged when the one for this payment is of no use."""

    NEVER = "never"
    WITH_CONSENT = "with_consent"
    """Only cards that carry the customer's consent at the gateway."""
    ALWAYS = "always"
    """All but those whose customer refused; the merchant's terms must cover it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """Which of the customer's cards may be charged.

    With ``newer_default`` a customer's default that was saved later than the subscription's own card is the customer's choice.
    With ``make_default`` a card of the customer's choice that paid becomes the subscription's own. At most ``backups_max`` other
    cards are tried, once each. ``charge_after_brand_change`` when the merchant's terms cover it. Cards issued in one of
    ``customer_only_countries`` are never charged silently: India's banks want the cardholder's mandate (Reserve Bank of India,
    e-mandate framework of October 2021), and Stripe does not retry such cards (docs.stripe.com/billing/revenue-recovery/smart-retries,
    read 2026-11).
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    newer_default: bool = True
    make_default: bool = False
    backup: BackupUse = BackupUse.WITH_CONSENT
    backups_max: Annotated[int, Ge(0), Le(10)] = 2
    charge_after_brand_change: bool = False
    customer_only_countries: tuple[str, ...] = ("IN",)


@dataclass(frozen=True, kw_only=True)  # without slots: it keeps what its segments resolve to
class Policy:
    """Everything a merchant may decide about recovery. Versioned by content and pinned on each case.

    ``risk_max`` is the weight of bank hours (see Banks) above which no silent try is made. ``segments`` may change any value but
    themselves and the name; where several match, later ones win.
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    name: str
    horizon_days: Annotated[int, Ge(1), Le(90)]
    silent_attempts_max: Annotated[int, Ge(1), Le(30)]
    jitter_minutes: Annotated[int, Ge(0), Le(240)]
    refresh_days: Annotated[tuple[Annotated[int, Ge(0), Le(366)], ...], MinLen(1)]
    ladders: Mapping[DeclineClass, Ladder]
    risk_max: Threshold = 0.15
    dunning: Dunning = field(default_factory=Dunning)
    cards: Cards = field(default_factory=Cards)
    review_days: Annotated[int, Ge(1), Le(366)] = 3
    unsent_retry_minutes: Annotated[int, Ge(1), Le(1440)] = 15
    unsent_max: Annotated[int, Ge(1), Le(20)] = 8
    campaigns: tuple[Campaign, ...] = ()
    segments: tuple[Segment, ...] = ()
    holdout: Holdout = field(default_factory=Holdout)

    @cached_property
    def _resolved(self) -> dict[str, "Policy"]:
        return {}

    def __post_init__(self) -> None:
        missing = [c.value for c in RETRIED if c not in self.ladders]
        if missing:
            raise ValueError(f"ladders: no ladder for {', '.join(missing)}")
        odd = [c.value for c in self.ladders if c not in RETRIED]
        if odd:
            raise ValueError(f"ladders: declines of class {', '.join(odd)} are never tried again on the same details")

    def of(self, segment: str) -> "Policy":
        """The policy as it reads for the joined names of some segments. Raises ValueError for a change that cannot be made."""
        if not segment:
            return self
        found = self._resolved.get(segment)
        if found is None:
            names = segment.split(JOINT)
            found = replace(self, segments=())
            for each in self.segments:
                if each.name in names:
                    found = changed(found, each.change)
            self._resolved[segment] = found
        return found

    @cached_property
    def plain(self) -> "Policy":
        """The policy as it reads for the holdout: tries at fixed days whatever the hour, the same letters, and nothing clever.

        What forbids stays: the networks' rules and advice, details that must never be tried again, the turn of older invoices.
        """
        gaps = self.holdout.gaps_days
        ladder = Ladder(
            gaps_hours=tuple(gap * 24 for gap in gaps), tries_max=len(gaps), risk_max=1.0, one_per_day=False
        )
        return replace(
            self,
            horizon_days=min(90, math.ceil(sum(gaps)) + PLAIN_SLACK_DAYS),
            silent_attempts_max=len(gaps),
            refresh_days=(0,),
            ladders=dict.fromkeys(self.ladders, ladder),
            risk_max=1.0,
            dunning=replace(self.dunning, silent_tries_max=0),
            cards=replace(self.cards, backup=BackupUse.NEVER),
            segments=(),
        )


RETRIED = (DeclineClass.WAIT_FOR_FUNDS, DeclineClass.ISSUER_ILL, DeclineClass.CAREFUL)
"""The classes that allow silent tries on unchanged details."""
