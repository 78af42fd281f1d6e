"""Judges when and on what we charged: windows, budgets, dead details, the policy's numbers. Recounted from the gateway's books."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays
from sim_books import Booked
from sim_issuers import ADDRESS_CODES, OF_AN_ENTRY_CODES, ONLY_CUSTOMER_CODES, dead_details, never_again, wait_hours
from sim_view import SKEW, Row, View

from recovery.cases.obligation import ChargeStatus
from recovery.declines.classify import DeclineClass
from recovery.declines.signals import Initiator
from recovery.storage.codec import policy_from

CUSTOMER = "customer_card"
OWN_BUDGET = (CUSTOMER, "backup_card")


PUT_OFFS_MAX = 2
"""So often in a row news may come between planning and firing; more within minutes is a rule that contradicts itself."""

PUT_OFF_SOON = timedelta(hours=1)


LANDS_WITHIN = timedelta(seconds=120 + 30)
"""The bound of a call and its margin; and what others may do at the same time, which moves the clock past a landing that is due."""


def timing(view: View) -> Iterator[str]:
    """All checks about the moment and the card of our charges."""
    yield from _put_off(view)
    for attempt, charge in sorted(view.ours(), key=lambda pair: pair[0].started_at):
        yield from _window(view, attempt, charge)
        yield from _budget(view, attempt, charge)
        yield from _details(view, attempt, charge)
        yield from _policy(view, attempt)
        late = charge.machine_at - _call_at(view, attempt.id)
        if not charge.beyond and late > LANDS_WITHIN:
            yield f"{attempt.id} landed {late} after its call"


def _put_off(view: View) -> Iterator[str]:
    """A try that comes due is begun, put off to a later instant or turned to another card: it is not decided anew for ever."""
    last: dict[str, tuple[datetime, int]] = {}
    for line in sorted(view.journal, key=lambda row: int(row.id)):
        if line.fact in ("PaymentMethodChanged", "SiblingRecovered"):
            last.pop(line.case_id, None)  # news of a card or of a payment is a reason to try anew
        if line.fact != "ChargeDue" or "the customer's other card" in line.reason:
            continue
        at, times = last.get(line.case_id, (line.at, 0))
        again = line.at < at + PUT_OFF_SOON and not line.reason.startswith("attempt ")
        last[line.case_id] = (line.at, times + 1 if again else 0)
        if last[line.case_id][1] > PUT_OFFS_MAX or line.reason.startswith("put off "):
            yield f"a try of {line.case_id} was put off {times + 1} times until {line.at}: {line.reason} ({line.grounds})"


def _call_at(view: View, key: str) -> datetime:
    return next(call.machine_at for call in view.books.calls if call.key == key)


def _window(view: View, attempt: Row, charge: Booked) -> Iterator[str]:
    if attempt.purpose == CUSTOMER:
        return
    country = charge.card.country
    knowledge = view.rules_at(attempt.started_at)
    hours = knowledge.banks.of(country)
    case = view.cases[attempt.case_id.removeprefix("case_")]
    policy = policy_from(view.policies[case.policy]).of(case.segment)
    followed = _followed(view, attempt, charge) if attempt.purpose == "silent" else set()
    limits = [policy.ladders[kind].risk_max for kind in followed]
    risk_max = max((policy.risk_max if limit is None else limit for limit in limits), default=policy.risk_max)
    customer = view.books.customers[case.customer]
    zones = (customer.zone,) if customer.zone and customer.country == country else hours.zones
    weight = max(_weight(hours, country, zone, attempt.started_at) for zone in zones)
    # Debit cards are tried at the start of the booking day where the weights say so.
    booking = (
        charge.card.funding in ("debit", "prepaid") and country == "GB" and DeclineClass.WAIT_FOR_FUNDS in followed
    )
    if booking and attempt.started_at.astimezone(ZoneInfo(zones[0])).hour == 0:
        return
    if weight > risk_max:
        yield f"{attempt.id} ({attempt.purpose}) began {attempt.started_at}, risk {weight} above {risk_max} in {country}"


def _followed(view: View, attempt: Row, charge: Booked) -> set[DeclineClass]:
    """The class of the decline that a silent try followed: the newest on its card, or of all where there was none on it.

    Several where one landed later than anybody could expect, or where others tried the card too: their news may be lost. The attempt's
    own row does not tell: it speaks of how that attempt itself was declined in the end.
    """
    name = attempt.case_id.removeprefix("case_")
    mine = _own(view, attempt)
    failed = [c for c in view.books.of(name) if c.status is ChargeStatus.FAILED and not c.beyond]
    others = [(c.at, c) for c in failed if c.at < attempt.started_at]
    newest = []
    for told in (mine, mine + others):
        on_card = [pair for pair in told if charge.card.same_details(pair[1].card)]
        newest += [max(on_card or told, key=lambda pair: pair[0])[1]] if told else []
    late = [c for a, c in view.ours() if a.case_id == attempt.case_id and c.beyond]
    signals = [c.signals for c in (*newest, *late) if c.signals is not None]
    by_network = {_BY_NETWORK[s.network_decline_code] for s in signals if s.network_decline_code in _BY_NETWORK}
    return by_network | {_CLASSES.get(s.decline_code or "", DeclineClass.CAREFUL) for s in signals}


_CLASSES = {
    "insufficient_funds": DeclineClass.WAIT_FOR_FUNDS,
    "card_velocity_exceeded": DeclineClass.WAIT_FOR_FUNDS,
    "withdrawal_count_limit_exceeded": DeclineClass.WAIT_FOR_FUNDS,
    "processing_error": DeclineClass.ISSUER_ILL,
    "issuer_not_available": DeclineClass.ISSUER_ILL,
    "try_again_later": DeclineClass.ISSUER_ILL,
}
_BY_NETWORK = dict.fromkeys(("51", "61", "65"), DeclineClass.WAIT_FOR_FUNDS)
_BY_NETWORK |= dict.fromkeys(("91", "96"), DeclineClass.ISSUER_ILL)


def _weight(hours: Any, country: str | None, zone: str, at: datetime) -> float:
    """The shipped weights, recounted by hand for one zone."""
    local = at.astimezone(ZoneInfo(zone))
    night = 0.5 if local.hour >= 22 or local.hour < 6 else 0.0
    if hours.holidays and country and local.date() in _holidays(country, hours.market, local.year):
        return max(night, 0.25)
    if local.weekday() in hours.weekend:
        return max(night, 0.2)
    if night:
        return night
    return 0.05 if hours.opens <= local.time() < hours.closes else 0.2


@cache
def _holidays(country: str, market: str | None, year: int) -> Any:
    if market is not None:
        return holidays.financial_holidays(market, years=year)
    known = holidays.country_holidays(country)
    wanted = tuple(c for c in ("public", "bank") if c in known.supported_categories)
    return holidays.country_holidays(country, years=year, categories=wanted)


READ = timedelta(hours=1)
"""An invoice's charges are read before each try; one that is so much older is in the reading, however long its worker slept."""


def _earlier(view: View, attempt: Row) -> list[tuple[datetime, Booked]]:
    """The charges that we knew of, with the instants we count them at: ours, others' failed ones on this invoice, and each open case's
    failure. What others paid is a part of the invoice at most.
    """
    mine = attempt.case_id.removeprefix("case_")
    open_then = [name for name, case in view.cases.items() if _open_then(view, case, attempt)]
    opened = {first.id for name in open_then if (first := view.opening(name)) is not None}
    ours = [(a.started_at, c) for a, c in view.ours() if a.started_at < attempt.started_at and not c.beyond]
    read = [
        (charge.at, charge)
        for charge in view.books.charges.values()
        if charge.key not in view.attempts and charge.at < attempt.started_at and not charge.beyond
        if charge.status is ChargeStatus.FAILED
        if charge.id in opened or (charge.obligation == mine and charge.at < attempt.started_at - READ)
    ]
    return read + ours


def _open_then(view: View, case: Row, attempt: Row) -> bool:
    """Whether a case was open when an attempt began: a driven clock stands still, and in one instant the machine's clock tells."""
    if case.opened_at != attempt.started_at:
        return bool(case.opened_at < attempt.started_at)
    return view.opened_at(case.id) + SKEW < view.intended_at(attempt.id)


def _own(view: View, attempt: Row) -> list[tuple[datetime, Booked]]:
    """What the case itself went by: its failure, and our tries of it. What others try meanwhile changes no plan."""
    name = attempt.case_id.removeprefix("case_")
    earlier = ((at, c) for at, c in _earlier(view, attempt) if c.obligation == name)
    return [(at, c) for at, c in earlier if c.key in view.attempts or c is view.opening(name)]


def _budget(view: View, attempt: Row, charge: Booked) -> Iterator[str]:
    if _changed(view, charge):
        return
    pack = view.rules_at(attempt.started_at).networks.in_force(
        charge.card.brand, attempt.started_at, charge.card.country
    )
    for cap in pack.caps:
        since = attempt.started_at - timedelta(hours=cap.window_hours)
        used = [
            c
            for at, c in _earlier(view, attempt)
            if since < at
            and c.card.budget_key == charge.card.budget_key
            and (not cap.per_amount or c.amount == charge.amount)
            and (c.signals is None or c.signals.reached_network)
            and (cap.counted == "attempts" or c.status is not ChargeStatus.SUCCEEDED)
            and (cap.customer_tries or c.initiator is not Initiator.CUSTOMER)
            and not _changed(view, c)
        ]
        if len(used) >= cap.tries_max:
            yield f"{attempt.id} was number {len(used) + 1} of {cap.tries_max} in {cap.window_hours} h ({pack.name()})"


def _changed(view: View, charge: Booked) -> bool:
    """Whether the gateway renewed the details while our charge was on its way: it counts against those that it was meant for."""
    ours = view.attempts.get(charge.key or "")
    return ours is not None and ours.card["fingerprint"] != charge.card.fingerprint


def _details(view: View, attempt: Row, charge: Booked) -> Iterator[str]:
    mine = _own(view, attempt)
    presented = [c for _, c in mine if charge.card.same_details(c.card) and not _entered_anew(view, attempt, charge, c)]
    for old in presented:
        code = old.signals.decline_code if old.signals and old.status is ChargeStatus.FAILED else None
        if dead_details(old, attempt.started_at):
            yield f"{attempt.id} presents details that were declined as {code}"
        if code in ONLY_CUSTOMER_CODES and old is mine[-1][1]:
            yield f"{attempt.id} repeats what only the customer can cure ({code})"
    yield from _elsewhere(view, attempt, charge)
    yield from _corrected(view, attempt, charge, presented)


def _entered_anew(view: View, attempt: Row, charge: Booked, old: Booked) -> bool:
    """Whether the customer chose another entry of the number since, of which what was refused says nothing."""
    if old.signals is None or old.signals.decline_code not in OF_AN_ENTRY_CODES:
        return False
    name = charge.card.payment_method
    chosen = [at for at, _, card, by_customer in view.books.arrived if by_customer and card.payment_method == name]
    return old.card.payment_method != name and any(old.at < at <= attempt.started_at for at in chosen)


def _elsewhere(view: View, attempt: Row, charge: Booked) -> Iterator[str]:
    """What the network said of the number on any invoice holds on this one, until it has paid."""
    same = [(at, c) for at, c in _earlier(view, attempt) if c.card.budget_key == charge.card.budget_key]
    all_of_it = [c for c in view.books.charges.values() if c.card.budget_key == charge.card.budget_key]
    paid = [
        c.at for c in all_of_it if c.status is ChargeStatus.SUCCEEDED and c.at < attempt.started_at
    ]  # however late it landed
    paid_at = max(paid, default=None)
    for at, old in same:
        if old.signals is None or old.status is not ChargeStatus.FAILED or (paid_at is not None and at <= paid_at):
            continue
        if old.key is not None and attempt.started_at < at + READ:
            continue  # what came of it may not have been heard yet
        if never_again(old, attempt.started_at):  # a renewed expiry is the same card
            yield f"{attempt.id} presents a card that was {old.signals.brief()} on {old.obligation}"
        if attempt.started_at < at + timedelta(hours=wait_hours(old)):
            yield f"{attempt.id} began {attempt.started_at}, within {wait_hours(old)} h of {at} on {old.obligation}"


def _corrected(view: View, attempt: Row, charge: Booked, before: list[Booked]) -> Iterator[str]:
    """An entry that failed for its address is presented again once it was corrected, and once only."""
    slips = [c for c in before if c.signals and c.signals.decline_code in ADDRESS_CODES]
    if not slips:
        return
    known = [at for at, _, card in view.books.corrected if card.payment_method == charge.card.payment_method]
    if not any(max(c.at for c in slips) <= at <= attempt.started_at for at in known):
        yield f"{attempt.id} presents an entry that failed for its address and was not corrected since"
    if len(slips) > 1:
        yield f"{attempt.id} presents an entry that failed for its address {len(slips)} times"


def _policy(view: View, attempt: Row) -> Iterator[str]:
    if attempt.purpose != "silent":
        return
    case = view.cases[attempt.case_id.removeprefix("case_")]
    policy = policy_from(view.policies[case.policy]).of(case.segment)
    if attempt.started_at > case.horizon_at:
        yield f"{attempt.id} began {attempt.started_at}, after the horizon {case.horizon_at}"
    before = [
        a
        for a, c in view.ours()
        if a.case_id == case.id and a.number < attempt.number and a.purpose not in OWN_BUDGET and not c.beyond
    ]
    if len(before) >= policy.silent_attempts_max:
        yield f"{attempt.id} is silent attempt {len(before) + 1} of {policy.silent_attempts_max}"
