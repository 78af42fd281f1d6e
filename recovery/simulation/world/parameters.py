"""How a world is: shares, probabilities and delays.

Without one place for them the world's truth would be scattered over code, and two worlds that disagree about
timing could not be told apart. The values here are those of the shipped world `mixed`, whose file
`config/worlds/mixed.toml` names the source of each or calls it an assumption; other worlds' files say what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le

Share = Annotated[float, Ge(0), Le(1)]
Factor = Annotated[float, Ge(0), Le(4)]
Delay = tuple[Annotated[float, Ge(0), Le(3660)], Annotated[float, Ge(0), Le(3660)]]
"""From and to, in the unit that the name says."""


class Cause(StrEnum):
    """Why a renewal really fails."""

    FUNDS = "funds"
    HONOR = "honor"
    OUTAGE = "outage"
    VELOCITY = "velocity"
    EXPIRED = "expired"
    REISSUED = "reissued"
    CLOSED = "closed"
    LOST = "lost"
    AUTHENTICATION = "authentication"
    CVC = "cvc"


class Reaction(StrEnum):
    """What a customer does after an email."""

    PAYS = "pays"
    CHANGES_CARD = "changes_card"
    CANCELS = "cancels"
    NOTHING = "nothing"


def _causes() -> dict[Cause, float]:
    return {
        Cause.FUNDS: 0.44,
        Cause.HONOR: 0.22,
        Cause.OUTAGE: 0.06,
        Cause.VELOCITY: 0.05,
        Cause.EXPIRED: 0.09,
        Cause.REISSUED: 0.04,
        Cause.CLOSED: 0.03,
        Cause.LOST: 0.02,
        Cause.AUTHENTICATION: 0.03,
        Cause.CVC: 0.02,
    }


def _brands() -> dict[str, float]:
    return {"visa": 0.55, "mastercard": 0.37, "amex": 0.08}


def _reactions() -> dict[Reaction, float]:
    return {Reaction.PAYS: 0.28, Reaction.CHANGES_CARD: 0.15, Reaction.CANCELS: 0.07, Reaction.NOTHING: 0.50}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """One world. Shares are 0..1; factors multiply a chance, which never exceeds 1; delays are (from, to)."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}
    name: str = "mixed"
    summary: str = (
        "What published figures suggest: missing money first, wary issuers second, a little of everything else."
    )
    causes: Mapping[Cause, Share] = field(default_factory=_causes)
    reactions: Mapping[Reaction, Share] = field(default_factory=_reactions)
    brands: Mapping[str, Share] = field(default_factory=_brands)

    failures_within_days: float = 10.0
    annual_share: Share = 0.2
    mandate_share: Share = 0.8
    """How many failures in India are for the cardholder's missing mandate, whatever else the causes say."""
    subscription_default_share: Share = 0.5
    """How many subscriptions name their own payment method, which the portal does not change."""

    chronic_share: Share = 0.15
    """People whose balance seldom suffices, payday or not."""
    chronic_factor: Factor = 0.2
    funds_on_payday: Share = 0.94
    funds_daily_decay: Share = 0.93
    """The chance that the money is still there shrinks by this factor per day after payday."""
    funds_before_payday: Share = 0.04
    midnight_salary_share: Share = 0.5
    """How many salaries are booked at local midnight; the others come at six or nine in the morning."""

    honor_base: Share = 0.62
    honor_never_share: Share = 0.2
    honor_night: Factor = 0.3
    """Between 00:00 and 05:00 issuer time."""
    honor_evening: Factor = 0.85
    """From 18:00 on, and from 05:00 to 08:00."""
    honor_weekend: Factor = 0.85
    honor_fatigue_day: Factor = 0.6
    """Each decline of the last 24 hours multiplies the chance by this."""
    honor_fatigue_week: Factor = 0.92
    honor_with_customer: Share = 0.5
    """How often a bank that never approves silently approves when its customer is present."""

    outage_hours: Delay = (0.2, 24.0)
    """From the failure to the outage's end, evenly by order of magnitude: many are short and few long."""
    velocity_per_day: Annotated[int, Ge(1)] = 4
    updater_knows_share: Share = 0.65
    updater_days: Delay = (0.0, 10.0)
    brand_change_share: Share = 0.04
    """How many reissued cards come back as another brand's, which needs the cardholder's new agreement."""
    token_share: Share = 0.06
    """How many cards that fail for missing money show a passed expiry although their network token goes on working."""
    good_card: Share = 0.95
    """The chance that a card without any trouble is approved."""

    redrawn_code_share: Share = 0.25
    """How often an issuer uses another of its codes than the one it used first."""
    network_code_share: Share = 0.85
    advised_share: Share = 0.4
    """How many Mastercard issuers say for missing money when to come again."""

    reaction_hours: Delay = (0.5, 72.0)
    repeated_mail_factor: Factor = 0.6
    other_card_share: Share = 0.3
    """How many customers who pay on the page use the occasion to change cards."""
    pays_unasked_share: Share = 0.04
    cancels_unasked_share: Share = 0.03
    unasked_days: Delay = (1.0, 15.0)

    refund_full_share: Share = 0.015
    refund_part_share: Share = 0.015
    dispute_share: Share = 0.02
    dispute_won_share: Share = 0.35
    giveback_days: Delay = (1.0, 14.0)
    dispute_open_days: Delay = (7.0, 14.0)

    def __post_init__(self) -> None:
        for name in ("outage_hours", "updater_days", "reaction_hours", "unasked_days", "giveback_days"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: {low} must not be above {high}")
        if self.outage_hours[0] <= 0:
            raise ValueError("outage_hours: must begin above 0")
        if any(sum(shares.values()) <= 0 for shares in (self.causes, self.reactions, self.brands)):
            raise ValueError("causes, reactions and brands need at least one share above zero each")
