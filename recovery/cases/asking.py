"""Turns a case into the question when it may be tried next. Without it planning and firing would ask different questions."""

from datetime import datetime, timedelta
from functools import cache

from recovery.cases.case import Case
from recovery.cases.policy import Ladder
from recovery.cases.refusals import advised_until
from recovery.cases.rules import CardUse, Rules
from recovery.declines.classify import DeclineClass
from recovery.sentences import Sentence, Told
from recovery.timing.slots import Question, Slot, next_slot
from recovery.timing.windows import Window
from recovery.values import maker, replace

_question = maker(Question)


def issuer_window(case: Case, rules: Rules, after: DeclineClass | None) -> Window:
    """The hours of the bank behind the case's card, in the customer's own zone if it is known and the card is from there."""
    card = case.card
    country, funding = (card.country, card.funding) if card else (None, None)
    return rules.banks.window(country, funding, zone=case.zone, after=after)


def fresh_question(case: Case, *, now: datetime, rules: Rules, usage: CardUse, windows: bool) -> Question:
    """When details that were not tried before may be tried: at once, in hours without risk, within the budgets.

    A new expiry date on the same number is the same card to its network, whose advice holds on.
    """
    assert case.card is not None
    advised_at = _advised_at(case)
    if usage.refusals:
        advised_at = _later(advised_at, advised_until(case.card, usage, rules, now=now))
    return _question(
        not_before=max(now, advised_at) if advised_at else now,
        because=_ADVISED if advised_at and advised_at > now else "",
        amount=case.amount,
        networks=rules.networks,
        brand=case.card.brand,
        country=case.card.country,
        uses=usage.uses,
        window=issuer_window(case, rules, None),
        risk_max=rules.policy.risk_max if windows else None,
        last_try_at=None,
        rule="fresh details",
    )


_ADVISED = "not before the wait is over that the network advised for this card"


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _advised_at(case: Case) -> datetime | None:
    tried, card = case.tried_card, case.card
    if (
        case.verdict is None
        or not case.verdict.wait_hours
        or tried is None
        or card is None
        or case.last_failure_at is None
    ):
        return None
    if tried.budget_key != card.budget_key:
        return None
    return case.last_failure_at + timedelta(hours=case.verdict.wait_hours)


LAST_CHANCE_DAYS = (1, 2, 4)
"""How long before the horizon a last try is wished for: a day, or as much more as a weekend or a long one takes."""


def silent_slot(
    case: Case, tried: int, *, now: datetime, rules: Rules, usage: CardUse, jitter_seconds: int = 0
) -> Slot:
    """The next slot of the tried details; one beyond the horizon is brought before it where the ladder allows.

    ``tried`` is how many tries of the ladder are used, the one of the last decline's class.
    """
    assert case.verdict is not None
    ladder = rules.policy.ladders[case.verdict.decline_class]
    question = _ladder_question(case, ladder, tried, now=now, rules=rules, usage=usage, jitter_seconds=jitter_seconds)
    slot = next_slot(question)
    if slot.at is None or slot.at <= case.horizon_at or ladder.last_gap_hours is None:
        return slot
    last_at = case.last_failure_at or case.failed_at
    soonest = last_at + timedelta(hours=max(ladder.last_gap_hours, case.verdict.wait_hours))
    soonest = max(soonest, advised_until(case.card, usage, rules, now=now) or soonest)
    for days in LAST_CHANCE_DAYS:
        wanted = case.horizon_at - timedelta(days=days)
        if wanted < soonest:
            break
        window = issuer_window(case, rules, None)
        asked = replace(question, not_before=max(wanted, now), because=_LAST_CHANCE, window=window)
        found = next_slot(asked)
        if found.at is not None and found.at <= case.horizon_at:
            return found
    return slot


_LAST_CHANCE = "a last try before the horizon, as the next one would come after it"


def _ladder_question(
    case: Case, ladder: Ladder, tried: int, *, now: datetime, rules: Rules, usage: CardUse, jitter_seconds: int
) -> Question:
    """When the tried details may be tried again, after the class's wait and the network's advice."""
    assert case.verdict is not None
    card = case.card
    last_at = case.last_failure_at or case.failed_at
    window = issuer_window(case, rules, None)
    because: Told
    if case.woken_at is not None and case.woken_at > last_at:
        advised_at = last_at + timedelta(hours=case.verdict.wait_hours)
        wanted, because, spaced_from = max(case.woken_at, advised_at), "a sibling invoice was paid", None
    else:
        wanted, because, payday = _wish(case, ladder, tried, rules, window)
        if payday:  # hours of their own, such as the start of the booking day, hold only for the day the money comes
            window = issuer_window(case, rules, case.verdict.decline_class)
        spaced_from = _last_try(last_at, usage) if ladder.one_per_day else None
    if usage.refusals:
        advised = advised_until(card, usage, rules, now=now)
        if advised is not None and advised > wanted:
            wanted, because = advised, _ADVISED
    return _question(
        not_before=max(wanted, now),
        because=because,
        amount=case.amount,
        networks=rules.networks,
        brand=card.brand if card else None,
        country=card.country if card else None,
        uses=usage.uses,
        window=window,
        risk_max=rules.policy.risk_max if ladder.risk_max is None else ladder.risk_max,
        last_try_at=spaced_from,
        jitter_seconds=jitter_seconds,
        # Else planning would take for too late what firing, without jitter, would not: decided anew for ever at one instant.
        spread_until=case.horizon_at,
        rule=_RULE_OF[case.verdict.decline_class],
    )


def _wish(case: Case, ladder: Ladder, tried: int, rules: Rules, window: Window) -> tuple[datetime, Told, bool]:
    """The instant that class and advice wish for, whatever the clock says by now; why; and whether it is a payday."""
    assert case.verdict is not None
    last_at = case.last_failure_at or case.failed_at
    wait_hours = case.verdict.wait_hours
    gap_hours = ladder.gaps_hours[min(tried, len(ladder.gaps_hours) - 1)]
    advised_at = last_at + _hours(wait_hours) if wait_hours else last_at
    wanted = last_at + _hours(gap_hours)
    if ladder.paydays and case.card is not None:
        soonest = max(last_at + _hours(ladder.payday_gap_hours), advised_at)
        payday = rules.paydays.next(window, case.card.country, case.card.funding, soonest)
        # A try so shortly before a payday would keep the payday's own from being made.
        until = wanted + _hours(ladder.payday_gap_hours)
        if ladder.payday_within_hours is not None:
            near = payday.at < max(until, advised_at + _hours(ladder.payday_within_hours))
        else:
            near = payday.at < until or advised_at >= wanted
        if near:
            return payday.at, Sentence(lambda: f"payday {payday.day:%a %d %b} ({payday.rule})"), True
    if advised_at > wanted:
        told = Sentence(lambda: f"not before {wait_hours} hours have passed, as the network advises")
        return advised_at, told, False
    return wanted, Sentence(lambda: f"{gap_hours:g} hours after the last try"), False


_RULE_OF = {kind: f"ladders.{kind.value}" for kind in DeclineClass}


@cache
def _hours(count: float) -> timedelta:
    """Policies name a few dozen numbers of hours, and each question needs some of them."""
    return timedelta(hours=count)


def _last_try(last_at: datetime, usage: CardUse) -> datetime:
    """The last try on the card that the network saw, on any case and by whomever."""
    for use in usage.uses:
        if use.at > last_at:
            last_at = use.at
    return last_at
