"""When people get their money.

Without paydays "try again when there is money" could not be better than "try again in three days".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
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
    local = ZoneInfo(zone)
    day = since.astimezone(local).date()
    booked = time(int(hour), int(hour % 1 * 60))
    while True:
        if _fits(rule, day):
            at = datetime.combine(day, booked, tzinfo=local).astimezone(UTC)
            if at > since:
                yield at
        day += timedelta(days=1)


def last_payday(rule: str, zone: str, *, hour: float, at: datetime) -> datetime:
    """The latest arrival of money at or before an instant."""
    found = at - timedelta(days=45)  # every rule pays at least once in 45 days
    for payday in paydays(rule, zone, hour=hour, since=found):
        if payday > at:
            return found
        found = payday
    raise AssertionError("paydays never end")
