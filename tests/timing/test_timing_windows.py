"""Weights over time are exact at every edge of the clock."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from timing_examples import knowledge

from recovery.timing.calendars import BankDays, _year
from recovery.timing.windows import Stretches, Terms, Window
from recovery.timing.zones import instant_of

BANKS = knowledge().banks
PLACES = [(country, zone) for country, hours in BANKS.countries.items() for zone in (None, *hours.zones)]
INSTANTS = some.datetimes(
    datetime(2025, 1, 1),  # noqa: DTZ001 - hypothesis takes its bounds naive
    datetime(2030, 1, 1),  # noqa: DTZ001
    timezones=some.just(UTC),
)


@pytest.mark.parametrize(
    ("zone", "day", "clock", "utc"),
    [
        (
            "America/New_York",
            date(2026, 3, 8),
            time(2, 30),
            "2026-03-08T07:00",
        ),  # skipped: the first instant after the gap
        ("America/New_York", date(2026, 11, 1), time(1, 30), "2026-11-01T05:30"),  # twice: the first
        ("Europe/Berlin", date(2026, 3, 29), time(2, 0), "2026-03-29T01:00"),
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 15), "2026-10-03T15:30"),  # half an hour is skipped
        ("Africa/Cairo", date(2026, 4, 24), time(0, 0), "2026-04-23T22:00"),  # midnight itself is skipped
        ("Asia/Kathmandu", date(2026, 1, 1), time(9, 0), "2026-01-01T03:15"),
        ("Pacific/Apia", date(2011, 12, 30), time(12, 0), "2011-12-30T10:00"),  # a whole day is skipped
    ],
)
def test_a_local_time_as_an_instant(zone: str, day: date, clock: time, utc: str) -> None:
    assert instant_of(day, clock, ZoneInfo(zone)) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@settings(max_examples=300, deadline=None)
@given(some.sampled_from(PLACES), INSTANTS)
def test_a_stretch_has_the_weight_of_the_local_clock_everywhere(place: tuple[str, str | None], at: datetime) -> None:
    country, zone = place
    hours, risk = BANKS.of(country), BANKS.risk_of(country, "credit")
    stretch = BANKS.window(country, "credit", zone=zone).at(at)
    assert stretch.starts <= at < stretch.ends
    worst = 0.0
    for name in (zone,) if zone else hours.zones:
        local = at.astimezone(ZoneInfo(name))
        off = hours.days.holiday(country, local.date()) is not None, local.weekday() in hours.weekend
        night = local.hour >= 22 or local.hour < 6
        if any(off):
            weight = max(risk.holiday if off[0] else risk.weekend, 0.5 if night else 0.0)
        elif night:
            weight = 0.5
        elif not hours.opens <= local.time() < hours.closes:
            weight = risk.closed
        else:
            last = hours.days.last_of_month(country, local.date()) == local.date()
            weight = risk.month_end if last else risk.open
        worst = max(worst, weight)
    assert stretch.weight == worst


@settings(max_examples=200, deadline=None)
@given(some.sampled_from(PLACES), INSTANTS)
def test_there_is_a_good_hour_soon_and_none_is_skipped(place: tuple[str, str | None], at: datetime) -> None:
    country, zone = place
    window = BANKS.window(country, "credit", zone=zone)
    found = window.next_within(0.15, at)
    assert found is not None
    probe = at
    while probe < found.starts:
        assert window.at(probe).weight > 0.15
        probe = window.at(probe).ends


def test_the_days_of_a_window_join_without_gap() -> None:
    for country in ("US", "AU", "EG", "DE", "BR"):
        window = BANKS.window(country, "debit")
        at = datetime(2026, 1, 1, tzinfo=UTC)
        while at < datetime(2027, 1, 3, tzinfo=UTC):
            stretch = window.at(at)
            assert stretch.starts <= at < stretch.ends
            at = stretch.ends


def test_the_customer_s_zone_is_taken_only_for_cards_of_that_country() -> None:
    assert BANKS.zone_of("US", " ca ") == "America/Los_Angeles"
    assert BANKS.zone_of("US", "Atlantis") is None
    assert BANKS.is_zone_of("US", "America/Los_Angeles")
    assert not BANKS.is_zone_of("US", "Europe/Berlin")
    assert not BANKS.is_zone_of(None, "Europe/Berlin")


def terms_with(weights: dict[str, Any], *, weekend: tuple[int, ...], bands: tuple[Stretches, ...] = ()) -> Terms:
    """The terms of a bank that is open from nine to five, by its own hours and weights."""
    days = BankDays(weekend=weekend)
    return Terms(country=None, days=days, opens=time(9), closes=time(17), bands=bands, **weights)


def test_no_hour_below_the_threshold_is_told_and_not_waited_for_ever() -> None:
    weights = {"open": 0.4, "closed": 0.5, "weekend": 0.5, "holiday": 0.5, "month_end": 0.4}
    terms = terms_with(weights, weekend=())
    assert Window(terms, ("Etc/UTC",)).next_within(0.3, datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_business_days_follow_the_bank_s_calendar() -> None:
    germany = BANKS.of("DE").days
    assert germany.last_of_month("DE", date(2026, 5, 3)) == date(2026, 5, 29)
    assert germany.moved("DE", date(2026, 12, 25), 1) == date(2026, 12, 28)
    america = BANKS.of("US").days
    assert america.working("US", date(2026, 7, 3))  # the Federal Reserve does not move a Saturday's holiday
    assert america.holiday("US", date(2026, 11, 26)) == "Thanksgiving Day"
    with pytest.raises(ValueError, match="no bank"):
        BankDays(weekend=(0, 1, 2, 3, 4, 5, 6), holidays=False).moved(None, date(2026, 1, 1), 1)


@pytest.mark.parametrize("language", ["de_DE.UTF-8", "C", None])
def test_a_holiday_has_one_name_whatever_the_machine_speaks(
    language: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    if language is not None:
        monkeypatch.setenv("LANG", language)
    _year.cache_clear()
    assert BankDays().holiday("DE", date(2026, 4, 3)) == "Good Friday"
    assert BankDays().holiday("JP", date(2026, 12, 31)) == "Bank Holiday"
    assert BankDays(market="XECB").holiday("DE", date(2026, 4, 3)) == "Good Friday"


def test_a_repeated_hour_weighs_the_same_both_times() -> None:
    window = BANKS.window("US", "credit", zone="America/New_York")
    first = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # 01:30 EDT
    again = first + timedelta(hours=1)  # 01:30 EST
    assert window.at(first).weight == window.at(again).weight == 0.5


CHANGES = {
    "America/New_York": datetime(2026, 11, 1, 6, tzinfo=UTC),
    "Europe/London": datetime(2026, 3, 29, 1, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 4, 4, 15, tzinfo=UTC),
    "Africa/Cairo": datetime(2026, 10, 29, 21, tzinfo=UTC),
    "America/Havana": datetime(2026, 11, 1, 5, tzinfo=UTC),
}


@settings(max_examples=100, deadline=None)
@given(some.sampled_from(sorted(CHANGES)), some.integers(0, 95), some.integers(1, 95))
def test_hours_of_one_s_own_hold_up_to_their_edges_while_clocks_change(zone: str, begins: int, length: int) -> None:
    """Edges at any quarter of an hour, also inside the hour that comes twice or never: the shipped hours lie elsewhere."""
    starts, ends = (time(*divmod(number % 96 * 15, 60)) for number in (begins, begins + length))
    band = Stretches(name="own hours", starts=starts, ends=ends, weight=0.1, every_day=True)
    weights = {"open": 0.0, "closed": 0.2, "weekend": 0.3, "holiday": 0.3, "month_end": 0.0}
    terms = terms_with(weights, weekend=(6,), bands=(band,))
    window = Window(terms, (zone,))
    for minutes in range(-36 * 60, 36 * 60, 5):
        at = CHANGES[zone] + timedelta(minutes=minutes)
        local = at.astimezone(ZoneInfo(zone))
        assert window.at(at).weight == terms.weigh(local.date(), local.time())[0], local
