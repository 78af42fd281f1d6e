"""A slot is inside the window, after every wait, within every cap; and nothing earlier would have been."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.declines.networks import Cap, Counted, NetworkRules, RulePack
from recovery.money import Money
from recovery.runtime.knowledge import Knowledge, load_knowledge
from recovery.runtime.knowledge_checks import threshold_mistakes
from recovery.timing.banks import BankHours
from recovery.timing.budgets import Use, budget_brief, rooms
from recovery.timing.slots import Question, jitter, next_slot
from recovery.timing.windows import Window

CONFIG = Path(__file__).resolve().parents[2] / "config"
OWED = Money(minor=4900, currency="usd")
RISK_MAX = 0.15
"""The shipped threshold: below every weight outside opening hours, above that of a month's last day."""


@cache
def known() -> Knowledge:
    return load_knowledge(CONFIG)


def _pack(*caps: Cap) -> RulePack:
    return RulePack(network="test", edition="1", brands=("visa",), in_force_from=date(2020, 1, 1), source="", caps=caps)


def _window(country: str | None) -> Window:
    return known().banks.window(country, "credit")


def _next_open(country: str, at: datetime) -> datetime:
    found = _window(country).next_within(RISK_MAX, at)
    assert found is not None
    return max(at, found.starts)


def _question(at: datetime, uses: list[Use], *caps: Cap) -> Question:
    """When may a card be tried from an instant on, by the caps alone?"""
    return Question(
        not_before=at,
        because="",
        amount=OWED,
        networks=NetworkRules(packs=(_pack(*caps),)),
        brand="visa",
        country=None,
        uses=uses,
        window=_window(None),
        risk_max=None,
        last_try_at=None,
    )


def _open(hours: BankHours, country: str | None, at: datetime) -> bool:
    """Written anew, so that the code under test does not judge itself."""
    for zone in hours.zones:
        local = at.astimezone(ZoneInfo(zone))
        if local.weekday() in hours.weekend or hours.days.holiday(country, local.date()):
            return False
        if not hours.opens <= local.time().replace(tzinfo=None) < hours.closes:
            return False
    return True


countries = st.sampled_from(["US", "DE", "GB", "JP", "SA", "AE", "IN", "NP", "BR", "NZ", "XX"])
instants = st.integers(0, 60_000_000).map(lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))


@settings(max_examples=60, deadline=None)
@given(countries, instants)
def test_the_next_opening_is_open_and_nothing_before_it_is(country: str, at: datetime) -> None:
    hours = known().banks.of(country)
    found = _next_open(country, at)
    assert _open(hours, country, found)
    earlier = at
    while earlier < found:
        assert not _open(hours, country, earlier)
        earlier += timedelta(minutes=15)


@pytest.mark.parametrize(
    ("country", "at", "opens"),
    [
        ("US", "2026-10-10T15:00+00:00", "2026-10-13T16:00+00:00"),  # Saturday; Monday is Columbus Day
        ("SA", "2026-10-09T08:00+00:00", "2026-10-11T06:30+00:00"),  # Friday and Saturday are the weekend
        ("JP", "2026-10-12T01:00+00:00", "2026-10-13T00:00+00:00"),  # Sports Day
        ("DE", "2026-10-24T12:00+00:00", "2026-10-26T08:00+00:00"),  # winter time begins over this weekend
        ("DE", "2027-03-27T12:00+00:00", "2027-03-30T07:00+00:00"),  # summer time begins; Easter Monday
    ],
)
def test_weekends_holidays_and_clock_changes(country: str, at: str, opens: str) -> None:
    assert _next_open(country, datetime.fromisoformat(at)) == datetime.fromisoformat(opens)


def test_zones_too_far_apart_leave_no_slot_and_none_is_made_up() -> None:
    apart = BankHours(zones=("Etc/UTC", "Etc/GMT-12"), holidays=False)
    banks = replace(known().banks, unknown=apart)
    refused = [reason for _, reason in threshold_mistakes(known().policy, banks)]
    assert any("no hour of unknown countries credit" in reason for reason in refused)
    question = _question(datetime(2026, 10, 6, tzinfo=UTC), [], Cap(tries_max=1, window_hours=24, per_amount=False))
    slot = next_slot(replace(question, window=banks.window(None), risk_max=RISK_MAX))
    assert slot.at is None
    assert slot.reason == "no hour within 30 days carries a risk of at most 0.15"


_uses = st.lists(
    st.builds(
        Use,
        at=instants,
        amount=st.sampled_from([OWED, Money(minor=100, currency="usd")]),
        declined=st.sampled_from([True, False, None]),
        by_customer=st.booleans(),
    ),
    max_size=30,
)
_caps = st.lists(
    st.builds(
        Cap,
        tries_max=st.integers(1, 6),
        window_hours=st.sampled_from([24, 72, 720]),
        per_amount=st.booleans(),
        counted=st.sampled_from(Counted),
        customer_tries=st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


def _fits(cap: Cap, uses: list[Use], at: datetime) -> bool:
    window = timedelta(hours=cap.window_hours)
    used = [
        use
        for use in uses
        if use.at > at - window
        and (not cap.per_amount or use.amount == OWED)
        and (cap.counted is Counted.ATTEMPTS or use.declined is not False)
        and (cap.customer_tries or not use.by_customer)
    ]
    return len(used) < cap.tries_max


@settings(max_examples=150, deadline=None)
@given(_caps, _uses, instants)
def test_a_slot_keeps_every_cap(caps: list[Cap], uses: list[Use], at: datetime) -> None:
    slot = next_slot(_question(at, uses, *caps))
    assert slot.at is not None
    assert slot.at >= at
    assert all(_fits(cap, uses, slot.at) for cap in caps)
    if slot.at > at:
        assert not all(_fits(cap, uses, slot.at - timedelta(microseconds=1)) for cap in caps)


def test_an_attempt_one_window_later_fits_again() -> None:
    at = datetime(2026, 10, 6, tzinfo=UTC)
    cap = Cap(tries_max=1, window_hours=24, per_amount=False)
    pack = _pack(cap)
    (free,) = rooms(pack, uses=[Use(at=at, amount=OWED, declined=None)], amount=OWED, at=at)
    assert free.at == at + timedelta(hours=24)
    assert budget_brief(pack, [free]) == "attempt 1 of 1 in 24 hours allowed by test-1"


@settings(max_examples=60, deadline=None)
@given(countries, instants, _uses, st.integers(0, 45 * 60))
def test_a_slot_obeys_the_window_the_day_and_the_budget_at_once(
    country: str, at: datetime, uses: list[Use], spread: int
) -> None:
    hours = known().banks.of(country)
    cap = Cap(tries_max=4, window_hours=72, per_amount=True)
    question = replace(
        _question(at, uses, cap),
        country=country,
        window=_window(country),
        risk_max=RISK_MAX,
        last_try_at=at,
        jitter_seconds=spread,
    )
    slot = next_slot(question)
    assert slot.at is not None
    zone = ZoneInfo(hours.zones[0])
    assert slot.at.astimezone(zone).date() > at.astimezone(zone).date()
    assert _open(hours, country, slot.at)
    assert _fits(cap, uses, slot.at)
    assert "one try per card and local day" in slot.reason


@given(st.text(), st.integers(0, 240))
def test_a_spread_is_the_same_for_the_same_seed(seed: str, most: int) -> None:
    spread = jitter(seed, most)
    assert 0 <= spread <= most * 60
    assert spread == jitter(seed, most)


def test_thousands_of_tries_at_one_slot_do_not_fire_in_one_second() -> None:
    seconds = Counter(jitter(f"case_{number}:1", 45) for number in range(10_000))
    assert max(seconds.values()) < 25
