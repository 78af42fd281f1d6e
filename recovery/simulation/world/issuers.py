"""What an issuer answers: a pure function of person, card, instant and history.

Without the truth consulted anew at each instant (balance, hour, fatigue, outage), waiting would never be worth
anything and hammering would never cost anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from recovery.simulation.answers import APPROVE, Answer, Authorization, decline
from recovery.simulation.world.dice import chance
from recovery.simulation.world.parameters import Cause, Parameters
from recovery.simulation.world.paydays import last_payday
from recovery.simulation.world.people import Person
from recovery.simulation.world.wording import worded

_zone = cache(ZoneInfo)  # the library's own way to a zone that it knows already takes five times as long
_NIGHT_ENDS = 5
_DAY_STARTS = 8
_EVENING_STARTS = 18
_SATURDAY = 5
_A_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


def answer(seed: int, parameters: Parameters, person: Person | None, question: Authorization) -> Answer:
    """The issuer's answer; nobody's card is an invalid account."""
    if person is None:
        return decline("invalid_account", brand=question.card.brand)
    if approves(seed, parameters, person, question):
        return APPROVE
    if question.on_session and person.trouble.cause is Cause.AUTHENTICATION:
        return decline("generic_decline", brand=question.card.brand)
    return worded(seed, parameters, person, question)


def approves(seed: int, parameters: Parameters, person: Person, question: Authorization) -> bool:
    """Whether the issuer says yes. One throw per local hour: asking twice in the same hour does not help."""
    local = question.at.astimezone(_zone(person.zone))
    share = approval_share(seed, parameters, person, question, local=local)
    if share <= 0:
        return False
    card, day = question.card.fingerprint, local.toordinal()
    return chance(seed, f"issuer/{card}/{day}/{local.hour}/{question.on_session}") < share


def approval_share(
    seed: int, parameters: Parameters, person: Person, question: Authorization, *, local: datetime
) -> float:
    """The chance of approval at that instant; `local` is the instant in the person's zone."""
    if question.card.fingerprint == person.other_card.fingerprint or _is_fresh(person, question):
        return parameters.good_card
    if question.at <= person.fails_at + _A_MINUTE:
        return 0.0  # the first renewal fails for everybody: these are the cases
    cause = person.trouble.cause
    if question.on_session and cause in (Cause.AUTHENTICATION, Cause.CVC):
        return parameters.good_card
    if cause is Cause.FUNDS:
        return _balance(seed, parameters, person, question.at, local)
    if cause is Cause.HONOR and question.on_session:
        return parameters.honor_with_customer if person.trouble.chronic else parameters.good_card
    if cause is Cause.HONOR:
        return _honor(parameters, person, question, local)
    if cause in (Cause.OUTAGE, Cause.VELOCITY):
        return _until(parameters, person, question, local)
    return 0.0


def _is_fresh(person: Person, question: Authorization) -> bool:
    """The gateway sends the renewed details."""
    renewed, card = person.trouble.renewed, question.card
    if renewed is None or renewed.fingerprint != card.fingerprint:
        return False
    return (card.exp_month, card.exp_year) == (renewed.exp_month, renewed.exp_year)


def _balance(seed: int, parameters: Parameters, person: Person, at: datetime, local: datetime) -> float:
    """1.0 while the money is there: one balance per day, unless money arrives during it."""
    payday = last_payday(person.payday_rule, person.zone, hour=person.payday_hour, at=at)
    if payday <= person.fails_at:
        share = parameters.funds_before_payday
    else:
        share = parameters.funds_on_payday * parameters.funds_daily_decay ** ((at - payday) / _DAY)
        share *= parameters.chronic_factor if person.trouble.chronic else 1.0
    name = f"balance/{person.index}/{local.toordinal()}/{payday.toordinal()}"
    return 1.0 if chance(seed, name) < share else 0.0


def _honor(parameters: Parameters, person: Person, question: Authorization, local: datetime) -> float:
    if person.trouble.chronic:
        return 0.0
    share = parameters.honor_base
    if local.hour < _NIGHT_ENDS:
        share *= parameters.honor_night
    elif local.hour < _DAY_STARTS or local.hour >= _EVENING_STARTS:
        share *= parameters.honor_evening
    if local.weekday() >= _SATURDAY:
        share *= parameters.honor_weekend
    declines = [past.at for past in question.history if not past.approved and past.reached_network]
    day = sum(at > question.at - _DAY for at in declines)
    week = sum(at > question.at - _WEEK for at in declines)
    return float(share * parameters.honor_fatigue_day**day * parameters.honor_fatigue_week**week)


def _until(parameters: Parameters, person: Person, question: Authorization, local: datetime) -> float:
    ends_at = person.trouble.ends_at
    if ends_at is not None and question.at < ends_at:
        return 0.0
    if person.trouble.cause is Cause.VELOCITY:
        zone, today = _zone(person.zone), local.date()
        tries = sum(past.at.astimezone(zone).date() == today for past in question.history)
        if tries >= parameters.velocity_per_day:
            return 0.0
    return parameters.good_card
