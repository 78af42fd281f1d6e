"""When people get their money.

Without paydays "try again when there is money" could not be better than "try again in three days".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_FRIDAY = 4
_SATURDAY = 5
# Any Friday will do as the start of the two-week rhythm; this one is the first of 2021.
_RHYTHM_START = date(2021, 1, 1)


def _fits(rule: str, day: date) -> bool:
    if rule == "friday":
        return day.weekday() == _FRIDAY and (day - _RHYTHM_START).days % 14 == 0
    if rule == "last":
        return day == _last_business_day(day)
    days = {int(number) for number in rule.removeprefix("day:").split(",")}
    return any(_off_weekend(day.replace(day=number)) == day for number in days)


def _off_weekend(day: date) -> date:
    """Money due on a weekend comes before it, at the start of a month after it."""
    if day.day < 4:  # moving back would leave the month
        while day.weekday() >= _SATURDAY:
            day += timedelta(days=1)
        return day
    return _moved_before_weekend(day)


def _moved_before_weekend(day: date) -> date:
    while day.weekday() >= _SATURDAY:
        day -= timedelta(days=1)
    return day


def _last_business_day(day: date) -> date:
    first_of_next = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return _moved_before_weekend(first_of_next - timedelta(days=1))


def paydays(rule: str, zone: str, *, hour: float, since: datetime) -> Iterator[datetime]:
    """The instants after `since` when money arrives, without end; `hour` is the local hour of booking."""
    year = since.year
    while True:
        for at in _instants(rule, zone, hour, year):
            if at > since:
                yield at
        year += 1


def last_payday(rule: str, zone: str, *, hour: float, at: datetime) -> datetime:
    """The latest arrival of money at or before an instant."""
    known = _around(rule, zone, hour, at.year)
    return known[bisect_right(known, at) - 1]


@lru_cache(maxsize=4096)
def _around(rule: str, zone: str, hour: float, year: int) -> tuple[datetime, ...]:
    """A year's paydays and, for its first days, those of the year before."""
    return _instants(rule, zone, hour, year - 1) + _instants(rule, zone, hour, year)


@lru_cache(maxsize=8192)
def _instants(rule: str, zone: str, hour: float, year: int) -> tuple[datetime, ...]:
    """The paydays whose instant lies in a year of UTC."""
    local, booked = ZoneInfo(zone), time(int(hour), int(hour % 1 * 60))
    days = [day for around in (year - 1, year, year + 1) for day in _days(rule, around)]
    found = (datetime.combine(day, booked, tzinfo=local).astimezone(UTC) for day in days)
    return tuple(at for at in found if at.year == year)


@lru_cache(maxsize=1024)
def _days(rule: str, year: int) -> tuple[date, ...]:
    first = date(year, 1, 1)
    days = (first + timedelta(days=number) for number in range(366))
    return tuple(day for day in days if day.year == year and _fits(rule, day))
