"""Drawing what is wrong with each card, and under which codes it shows.

Without noise between cause and code an engine could read the truth from the decline code, which no real engine can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from recovery.simulation.world.dice import Dice, dice, drawn
from recovery.simulation.world.parameters import Cause, Parameters
from recovery.simulation.world.people import CardFace, Trouble, face
from recovery.simulation.world.places import Home, Place

# Which codes issuers use for a cause; the shares are assumptions.
CODES: Mapping[Cause, Mapping[str, float]] = {
    Cause.FUNDS: {"insufficient_funds": 0.82, "do_not_honor": 0.12, "generic_decline": 0.06},
    Cause.HONOR: {"do_not_honor": 0.6, "generic_decline": 0.3, "call_issuer": 0.05, "no_action_taken": 0.05},
    Cause.OUTAGE: {"issuer_not_available": 0.6, "processing_error": 0.3, "try_again_later": 0.1},
    Cause.VELOCITY: {
        "card_velocity_exceeded": 0.75,
        "withdrawal_count_limit_exceeded": 0.15,
        "do_not_honor": 0.1,
    },
    Cause.EXPIRED: {"expired_card": 0.8, "invalid_expiry_year": 0.05, "do_not_honor": 0.15},
    Cause.REISSUED: {
        "invalid_account": 0.5,
        "incorrect_number": 0.2,
        "new_account_information_available": 0.3,
    },
    Cause.CLOSED: {"invalid_account": 0.6, "do_not_honor": 0.25, "generic_decline": 0.15},
    Cause.LOST: {"lost_card": 0.4, "stolen_card": 0.3, "pickup_card": 0.3},
    Cause.AUTHENTICATION: {"authentication_required": 1.0},
    Cause.CVC: {"incorrect_cvc": 1.0},
}
_MANDATE_COUNTRY = "IN"  # recurring charges there need the cardholder's mandate


def make_trouble(seed: int, index: int, parameters: Parameters, *, home: Home, fails_at: datetime) -> Trouble:
    """The hidden truth about one person's card."""
    random = dice(seed, "trouble", index)
    cause = drawn(random, parameters.causes)
    if home.place.country == _MANDATE_COUNTRY and random.random() < parameters.mandate_share:
        cause = Cause.AUTHENTICATION
    trouble = Trouble(cause=cause, first_code=drawn(random, CODES[cause]))
    if cause is Cause.FUNDS:
        return replace(trouble, chronic=random.random() < parameters.chronic_share)
    if cause is Cause.HONOR:
        return replace(trouble, chronic=random.random() < parameters.honor_never_share)
    if cause is Cause.OUTAGE:
        hours = random.by_magnitude(*parameters.outage_hours)
        return replace(trouble, ends_at=fails_at + timedelta(hours=hours))
    if cause is Cause.VELOCITY:
        return replace(trouble, ends_at=_local_midnight(fails_at, home.zone))
    if cause in (Cause.EXPIRED, Cause.REISSUED):
        renewed = _renewed(seed, index, home.place, parameters, cause=cause, at=fails_at)
        if cause is Cause.REISSUED and dice(seed, "brand", index).random() < parameters.brand_change_share:
            renewed = replace(renewed, brand="mastercard" if renewed.brand == "visa" else "visa")
        return replace(trouble, renewed=renewed, updated_at=_update(random, parameters, fails_at))
    return trouble


def expired_face(card: CardFace, at: datetime) -> CardFace:
    """The same card with an expiry in the month before."""
    before = at.replace(day=1) - timedelta(days=1)
    return replace(card, exp_month=before.month, exp_year=before.year)


def _renewed(seed: int, index: int, place: Place, parameters: Parameters, *, cause: Cause, at: datetime) -> CardFace:
    """A new expiry on the same number, or a new number."""
    first = face(seed, index, place, parameters, number="first", at=at)
    fresh = face(seed, index, place, parameters, number="renewed", at=at)
    if cause is Cause.EXPIRED:
        return replace(first, exp_month=fresh.exp_month, exp_year=at.year + 4)
    return replace(fresh, brand=first.brand, funding=first.funding, exp_year=at.year + 4)


def _update(random: Dice, parameters: Parameters, fails_at: datetime) -> datetime | None:
    if random.random() >= parameters.updater_knows_share:
        return None
    return fails_at + timedelta(days=random.uniform(*parameters.updater_days))


def _local_midnight(at: datetime, zone: str) -> datetime:
    local = at.astimezone(ZoneInfo(zone))
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.astimezone(UTC)
