"""The next payday is the first one there is, told day by day and without the engine's own search."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from timing_examples import knowledge

from recovery.timing.paydays import WEEKDAYS

KNOWN = knowledge()
COUNTRIES = (None, *KNOWN.paydays.countries)
INSTANTS = some.datetimes(datetime(2025, 6, 1), datetime(2029, 12, 31), timezones=some.just(UTC))  # noqa: DTZ001 - so it asks
DAY = timedelta(days=1)

Working = Callable[[date], bool]


def _pays(rule: str, day: date, working: Working) -> bool:
    """Whether a rule pays on a day, asked of that day alone."""
    kind, _, value = rule.partition(":")
    if kind == "weekday":
        return day.weekday() == WEEKDAYS.index(value)
    if not working(day):
        return False
    if kind == "day":
        while day.day != int(value):
            day -= DAY
            if working(day):
                return False
        return True
    if kind == "last_business_day":
        rest = (day + DAY * number for number in range(1, 31))
        return not any(working(later) for later in rest if later.month == day.month)
    return sum(working(day.replace(day=number)) for number in range(1, day.day + 1)) == int(value)


@settings(max_examples=100, deadline=None)
@given(some.sampled_from(COUNTRIES), some.sampled_from(("credit", "debit")), INSTANTS)
def test_no_payday_is_missed(country: str | None, funding: str, after: datetime) -> None:
    window, rules = (
        KNOWN.banks.window(country, funding),
        KNOWN.paydays.countries.get(country or "", KNOWN.paydays.unknown),
    )
    found = KNOWN.paydays.next(window, country, funding, after)
    assert found.at >= after
    clock = rules.debit_from_time if funding == "debit" and rules.debit_from_time else rules.from_time

    def working(day: date) -> bool:
        return window.working_days.working(window.country, day)

    day = window.local(after).date()
    while window.instant(day, clock) < after or not any(_pays(rule, day, working) for rule in rules.rules):
        day += DAY
    assert found.day == day


@pytest.mark.parametrize(
    ("country", "after", "day"),
    [
        ("GB", "2026-02-27T23:00", date(2026, 3, 2)),  # the 28th is a Saturday
        ("FR", "2026-02-27T22:00", date(2026, 3, 2)),
        ("ES", "2027-02-26T22:00", date(2027, 3, 1)),  # a Sunday
        ("IT", "2027-02-26T22:00", date(2027, 3, 1)),  # the 27th, a Saturday
        ("SA", "2026-05-26T22:00", date(2026, 6, 1)),  # the feast of sacrifice
    ],
)
def test_a_payday_that_moved_over_the_month_s_edge_is_found_from_both_sides(
    country: str, after: str, day: date
) -> None:
    window, month = KNOWN.banks.window(country, "credit"), day.replace(day=1)
    before = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert KNOWN.paydays.next(window, country, "credit", before).day == day
    assert KNOWN.paydays.next(window, country, "credit", window.instant(month, time.min)).day == day
