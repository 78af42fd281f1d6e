"""How the world is: shares, probabilities and delays, each with its source or marked as an assumption.

Without one place for them the world's truth would be scattered over code, and two worlds that disagree about
timing could not be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


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
    # Adyen: 72 % of declines are insufficient funds or do-not-honor (causes and codes differ: codes are noisy).
    # The split of the rest is an assumption.
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


def _reactions() -> dict[Reaction, float]:
    # Assumption; a quarter to a third paying after a first email is what dunning vendors claim.
    return {Reaction.PAYS: 0.28, Reaction.CHANGES_CARD: 0.15, Reaction.CANCELS: 0.07, Reaction.NOTHING: 0.50}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The first world. All are assumptions unless a source is named; shares are 0..1, delays in days or hours."""

    causes: Mapping[Cause, float] = field(default_factory=_causes)
    reactions: Mapping[Reaction, float] = field(default_factory=_reactions)

    failures_within_days: float = 10.0
    annual_share: float = 0.2
    subscription_default_share: float = 0.5
    """How many subscriptions name their own payment method, which the portal does not change."""

    chronic_share: float = 0.15
    """People whose balance seldom suffices, payday or not."""
    funds_on_payday: float = 0.94
    funds_daily_decay: float = 0.93
    """The chance that the money is still there shrinks by this factor per day after payday."""
    funds_before_payday: float = 0.04

    honor_base: float = 0.62
    honor_never_share: float = 0.2
    honor_night: float = 0.3
    """Between 00:00 and 05:00 issuer time; Recurly reports far more declines in these hours."""
    honor_evening: float = 0.85
    honor_weekend: float = 0.85
    honor_fatigue_day: float = 0.6
    """Each decline of the last 24 hours multiplies the chance by this."""
    honor_fatigue_week: float = 0.92

    outage_hours: tuple[float, float] = (2.0, 14.0)
    velocity_per_day: int = 4
    updater_knows_share: float = 0.65
    updater_days: tuple[float, float] = (0.0, 10.0)
    good_card: float = 0.95
    """The chance that a card without any trouble is approved."""

    redrawn_code_share: float = 0.25
    """How often an issuer uses another of its codes than the one it used first."""
    network_code_share: float = 0.85

    reaction_hours: tuple[float, float] = (0.5, 72.0)
    repeated_mail_factor: float = 0.6
    pays_unasked_share: float = 0.04
    cancels_unasked_share: float = 0.03
    unasked_days: tuple[float, float] = (1.0, 15.0)

    refund_full_share: float = 0.015
    refund_part_share: float = 0.015
    dispute_share: float = 0.02
    dispute_won_share: float = 0.35
    giveback_days: tuple[float, float] = (1.0, 14.0)
    dispute_open_days: tuple[float, float] = (7.0, 14.0)
