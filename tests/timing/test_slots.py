"""A slot is inside the window, after every wait, within every cap; and nothing earlier would have been."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.declines.networks import Cap, Counted, RulePack
from recovery.money import Money
from recovery.runtime.knowledge import Knowledge, load_knowledge
from recovery.timing.banks import BankHours, holiday_name, next_open
from recovery.timing.budgets import Use, room
from recovery.timing.slots import Question, jitter, next_slot

CONFIG = Path(__file__).resolve().parents[2] / "config"
OWED = Money(minor=4900, currency="usd")


@cache
def known() -> Knowledge:
    return load_knowledge(CONFIG)


def _pack(*caps: Cap) -> RulePack:
    return RulePack(network="test", edition="1", brands=("visa",), in_force_from=date(2020, 1, 1), source="", caps=caps)


def _open(hours: BankHours, country: str | None, at: datetime) -> bool:
    """Written anew, so that the code under test does not judge itself."""
    for zone in hours.zones:
        local = at.astimezone(ZoneInfo(zone))
        if local.weekday() in hours.weekend or (hours.holidays and holiday_name(country, local.date())):
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
    found = next_open(hours, country, at)
    assert found.at >= at
    assert _open(hours, country, found.at)
    assert (found.moved is None) == (found.at == at)
    earlier = at
    while earlier < found.at:
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
    found = next_open(known().banks.of(country), country, datetime.fromisoformat(at))
    assert found.at == datetime.fromisoformat(opens)


def test_zones_too_far_apart_leave_the_main_one() -> None:
    hours = BankHours(zones=("Etc/GMT-12", "Etc/GMT+11"))
    at = datetime(2026, 10, 6, tzinfo=UTC)
    assert _open(BankHours(zones=hours.zones[:1]), None, next_open(hours, None, at).at)


_uses = st.lists(
    st.builds(
        Use,
        at=instants,
        amount=st.sampled_from([OWED, Money(minor=100, currency="usd")]),
        declined=st.sampled_from([True, False, None]),
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
    ]
    return len(used) < cap.tries_max


@settings(max_examples=150, deadline=None)
@given(_caps, _uses, instants)
def test_a_slot_keeps_every_cap(caps: list[Cap], uses: list[Use], at: datetime) -> None:
    question = Question(
        not_before=at,
        amount=OWED,
        pack=_pack(*caps),
        uses=uses,
        country=None,
        hours=None,
        zone="Etc/UTC",
        last_try_at=None,
    )
    slot = next_slot(question)
    assert slot.at >= at
    assert all(_fits(cap, uses, slot.at) for cap in caps)
    if slot.at > at:
        assert not all(_fits(cap, uses, slot.at - timedelta(microseconds=1)) for cap in caps)


def test_an_attempt_one_window_later_fits_again() -> None:
    at = datetime(2026, 10, 6, tzinfo=UTC)
    cap = Cap(tries_max=1, window_hours=24, per_amount=False)
    free = room(_pack(cap), uses=[Use(at=at, amount=OWED, declined=None)], amount=OWED, at=at)
    assert free.at == at + timedelta(hours=24)
    assert free.brief() == "attempt 1 of 1 in 1 days allowed by test-1"


@settings(max_examples=60, deadline=None)
@given(countries, instants, _uses)
def test_a_slot_obeys_the_window_the_day_and_the_budget_at_once(country: str, at: datetime, uses: list[Use]) -> None:
    hours = known().banks.of(country)
    cap = Cap(tries_max=4, window_hours=72, per_amount=True)
    question = Question(
        not_before=at,
        amount=OWED,
        pack=_pack(cap),
        uses=uses,
        country=country,
        hours=hours,
        zone=hours.zones[0],
        last_try_at=at,
    )
    slot = next_slot(question)
    zone = ZoneInfo(hours.zones[0])
    assert slot.at.astimezone(zone).date() > at.astimezone(zone).date()
    assert _open(hours, country, slot.at)
    assert _fits(cap, uses, slot.at)
    assert "one try per card and local day" in slot.reason


@given(st.text(), st.integers(0, 240))
def test_a_spread_is_the_same_for_the_same_seed(seed: str, most: int) -> None:
    spread = jitter(seed, most)
    assert timedelta(0) <= spread <= timedelta(minutes=most)
    assert spread == jitter(seed, most)
