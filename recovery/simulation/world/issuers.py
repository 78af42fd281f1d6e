"""What an issuer answers: a pure function of person, card, instant and history.

Without the truth consulted anew at each instant (balance, hour, fatigue, outage), waiting would never be worth
anything and hammering would never cost anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from recovery.simulation.answers import APPROVE, Answer, Authorization, decline
from recovery.simulation.world.dice import chance
from recovery.simulation.world.parameters import Cause, Parameters
from recovery.simulation.world.paydays import last_payday
from recovery.simulation.world.people import Person
from recovery.simulation.world.wording import worded

_NIGHT_ENDS = 5
_DAY_STARTS = 8
_EVENING_STARTS = 18
_SATURDAY = 5
_CHRONIC_FACTOR = 0.2  # assumption: one payday in five leaves enough


def answer(seed: int, parameters: Parameters, person: Person | None, question: Authorization) -> Answer:
    """The issuer's answer; nobody's card is an invalid account."""
    if person is None:
        return decline("invalid_account", brand=question.card.brand)
    trouble = person.trouble
    if question.card.fingerprint == person.other_card.fingerprint or _is_fresh(person, question):
        share = parameters.good_card
    elif _is_first_renewal(person, question):
        share = 0.0
    elif question.on_session:
        share = _with_customer(seed, parameters, person, question)
    else:
        share = _silently(seed, parameters, person, question)
    # One throw per local hour: asking twice in the same hour does not help.
    hour = _local(person, question.at).strftime("%Y-%m-%dT%H")
    if chance(seed, "issuer", question.card.fingerprint, hour, question.on_session) < share:
        return APPROVE
    if question.on_session and trouble.cause is Cause.AUTHENTICATION:
        return decline("generic_decline", brand=question.card.brand)
    return worded(seed, parameters, person, question)


def _is_fresh(person: Person, question: Authorization) -> bool:
    """The gateway sends the renewed details."""
    renewed, card = person.trouble.renewed, question.card
    return renewed is not None and (card.fingerprint, card.exp_month, card.exp_year) == (
        renewed.fingerprint,
        renewed.exp_month,
        renewed.exp_year,
    )


def _is_first_renewal(person: Person, question: Authorization) -> bool:
    return question.at <= person.fails_at + timedelta(minutes=1)


def _local(person: Person, at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(person.zone))


def _with_customer(seed: int, parameters: Parameters, person: Person, question: Authorization) -> float:
    """The customer is present: authentication, security code and a wary issuer are no obstacle."""
    cause = person.trouble.cause
    if cause in (Cause.AUTHENTICATION, Cause.CVC):
        return parameters.good_card
    if cause is Cause.HONOR:
        return 0.5 if person.trouble.chronic else parameters.good_card
    if cause is Cause.FUNDS:
        return _balance(seed, parameters, person, question.at)
    if cause in (Cause.OUTAGE, Cause.VELOCITY):
        return _until(parameters, person, question)
    return 0.0


def _silently(seed: int, parameters: Parameters, person: Person, question: Authorization) -> float:
    cause = person.trouble.cause
    if cause is Cause.FUNDS:
        return _balance(seed, parameters, person, question.at)
    if cause is Cause.HONOR:
        return _honor(parameters, person, question)
    if cause in (Cause.OUTAGE, Cause.VELOCITY):
        return _until(parameters, person, question)
    return 0.0


def _balance(seed: int, parameters: Parameters, person: Person, at: datetime) -> float:
    """1.0 while the money is there: one balance per day, unless money arrives during it."""
    payday = last_payday(person.payday_rule, person.zone, hour=person.payday_hour, at=at)
    day = f"{_local(person, at):%Y-%m-%d}/{payday:%Y-%m-%d}"
    return 1.0 if chance(seed, "balance", person.index, day) < _funds(parameters, person, at) else 0.0


def _funds(parameters: Parameters, person: Person, at: datetime) -> float:
    payday = last_payday(person.payday_rule, person.zone, hour=person.payday_hour, at=at)
    if payday <= person.fails_at:
        return parameters.funds_before_payday
    waited_days = (at - payday).total_seconds() / 86400
    share = parameters.funds_on_payday * float(parameters.funds_daily_decay**waited_days)
    return share * (_CHRONIC_FACTOR if person.trouble.chronic else 1.0)


def _honor(parameters: Parameters, person: Person, question: Authorization) -> float:
    if person.trouble.chronic:
        return 0.0
    local = _local(person, question.at)
    share = parameters.honor_base
    if local.hour < _NIGHT_ENDS:
        share *= parameters.honor_night
    elif local.hour < _DAY_STARTS or local.hour >= _EVENING_STARTS:
        share *= parameters.honor_evening
    if local.weekday() >= _SATURDAY:
        share *= parameters.honor_weekend
    declines = [past for past in question.history if not past.approved and past.reached_network]
    day = sum(past.at > question.at - timedelta(days=1) for past in declines)
    week = sum(past.at > question.at - timedelta(days=7) for past in declines)
    return float(share * parameters.honor_fatigue_day**day * parameters.honor_fatigue_week**week)


def _until(parameters: Parameters, person: Person, question: Authorization) -> float:
    ends_at = person.trouble.ends_at
    if ends_at is not None and question.at < ends_at:
        return 0.0
    if person.trouble.cause is Cause.VELOCITY:
        today = _local(person, question.at).date()
        tries = sum(_local(person, past.at).date() == today for past in question.history)
        if tries >= parameters.velocity_per_day:
            return 0.0
    return parameters.good_card
