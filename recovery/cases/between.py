"""What is planned while the customer is asked: the next letter, and silent tries on paydays between letters. Without it each
fact in dunning would keep a calendar of its own.
"""

from datetime import datetime, timedelta

from recovery.cases.asking import issuer_window
from recovery.cases.campaigns import Campaign, campaign_for
from recovery.cases.case import Case, Plan, Purpose
from recovery.cases.lifecycle import ONLY_CUSTOMER, SPENT, StepKind
from recovery.cases.policy import RETRIED
from recovery.cases.rules import Rules
from recovery.declines.classify import DeclineClass
from recovery.timing.courtesy import Courtesy, decent_from

_NO_WAIT = timedelta(0)


def campaign_of(case: Case, rules: Rules) -> Campaign:
    """The letters that the case gets, by its segment and its last decline."""
    return campaign_for(rules.policy.campaigns, case.segment, case.verdict.decline_class if case.verdict else None)


def decent_at(case: Case, rules: Rules, at: datetime) -> datetime:
    """The first instant from ``at`` on at which the customer may be written to, in their own zone or all of their country's."""
    hours = rules.banks.of(_country(case))
    dunning = rules.policy.dunning
    weekend = () if dunning.weekends else hours.weekend
    courtesy = Courtesy(opens=dunning.opens, closes=dunning.closes, weekend=weekend)
    return decent_from(courtesy, (case.zone,) if case.zone else hours.zones, at)


def home_zone(case: Case, rules: Rules) -> str:
    """Whose days and hours the customer is told: their own, else those of the main zone of their country."""
    return case.zone or rules.banks.of(_country(case)).zones[0]


def _country(case: Case) -> str | None:
    """Where the customer lives, as their card tells: the one that failed, where none is left."""
    card = case.card or case.tried_card
    return card.country if card else None


def next_letter(case: Case, *, now: datetime, rules: Rules) -> Plan | None:
    """The next email of the campaign at its day and a decent hour; None when all are dealt with or no mail is wanted."""
    letters = campaign_of(case, rules).letters
    if case.mail_stopped or case.letters_done >= len(letters) or case.exhausted is None:
        return None
    due_at = max(now, case.exhausted.at + held_back(case, rules) + timedelta(days=letters[case.letters_done].day))
    if case.wished_at is not None and case.wished_at > now:
        due_at = max(due_at, case.wished_at + timedelta(days=1))
    return Plan(kind=StepKind.SEND_EMAIL, due_at=decent_at(case, rules, due_at))


def held_back(case: Case, rules: Rules) -> timedelta:
    """How long all letters wait where only the customer can cure the decline, if the policy says so."""
    alone = case.exhausted is not None and case.exhausted.rule in ONLY_CUSTOMER
    return timedelta(days=rules.policy.dunning.only_customer_wait_days) if alone else _NO_WAIT


def tries_between(case: Case) -> int:
    """How many silent tries between letters are used up."""
    return sum(1 for a in case.attempts if a.status in SPENT and a.purpose is Purpose.BETWEEN_EMAILS)


def purpose_between(case: Case, *, now: datetime, rules: Rules) -> Purpose | None:
    """What a try on unchanged details would be for while the customer is asked; None when there must be none."""
    if case.card is None or case.is_dead(case.card) or case.verdict is None:
        return None
    if case.wished_at is not None and case.wished_at <= now:
        # A card that came since may have been refused for what no date cures.
        return Purpose.CUSTOMER_DATE if case.verdict.decline_class in RETRIED else None
    funds = case.verdict.decline_class is DeclineClass.WAIT_FOR_FUNDS
    left = tries_between(case) < rules.policy.dunning.silent_tries_max
    return Purpose.BETWEEN_EMAILS if funds and left and case.wished_at is None else None


def next_between(case: Case, *, now: datetime, rules: Rules) -> Plan | None:
    """A silent try on the next payday, while money is all that is missing and the policy's number lasts."""
    if purpose_between(case, now=now, rules=rules) is not Purpose.BETWEEN_EMAILS or case.open_attempt is not None:
        return None
    assert case.card is not None
    ladder = rules.policy.ladders[DeclineClass.WAIT_FOR_FUNDS]
    last_at = case.last_failure_at or case.failed_at
    soonest = max(now, last_at + timedelta(hours=ladder.payday_gap_hours))
    payday = rules.paydays.next(issuer_window(case, rules, None), case.card.country, case.card.funding, soonest)
    begun_at = case.exhausted.at if case.exhausted else now
    if payday.at >= begun_at + timedelta(days=rules.policy.dunning.wait_days):
        return None
    return Plan(kind=StepKind.CHARGE_CARD, due_at=max(now, payday.at))
