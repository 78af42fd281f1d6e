"""Which days a report covers. Without it a month would begin at another instant on each page."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recovery.storage.report_sums import Cut, Only, Span

NARROWING: Final[dict[str, Cut | Only]] = {
    **{("cohort" if cut is Cut.MONTH else cut.value): cut for cut in Cut},
    **{only.value: only for only in Only},
}
"""What a report can be narrowed to, by its names in addresses and exports; a month there is the period."""

MONTHS_SHOWN = 12
"""What is shown when nobody says: a year, so that the same month last year is in sight."""

_MONTH = re.compile(r"(\d{4})-(\d{2})")


class PeriodInvalid(ValueError):
    """The period asked for does not exist; the message says how to ask for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A period as people ask for it: a month, or first and last day, or nothing; each as typed."""

    month: str | None = None
    first: str | None = None
    last: str | None = None
    zone: str = "UTC"
    only: tuple[tuple[Cut | Only, str], ...] = ()


def span_of(asked: Asked, *, now: datetime) -> Span:
    """The span that was asked for; the last twelve months up to and including this one by default. Raises PeriodInvalid."""
    whole = _whole_span(asked, now=now)
    return replace(whole, only=asked.only)


def _whole_span(asked: Asked, *, now: datetime) -> Span:
    zone = _zone(asked.zone)
    if asked.month and (asked.first or asked.last):
        raise PeriodInvalid("give either a month or first and last day, not both")
    if asked.month:
        first = _month(asked.month)
        return _span(first, _next_month(first), zone)
    today = now.astimezone(zone).date()
    after = _day(asked.last) + timedelta(days=1) if asked.last else _next_month(today)
    first = _day(asked.first) if asked.first else _months_before(after, MONTHS_SHOWN)
    if first >= after:
        raise PeriodInvalid(f"the first day ({first}) lies after the last ({after - timedelta(days=1)})")
    return _span(first, after, zone)


def first_and_last_day(span: Span) -> tuple[date, date]:
    """Both days of a span that are still part of it, in its zone."""
    zone = ZoneInfo(span.zone)
    return span.start.astimezone(zone).date(), span.end.astimezone(zone).date() - timedelta(days=1)


def narrowed_to(span: Span) -> dict[str, str]:
    """The keys that a span is narrowed to, by their names; a report that does not say so could be taken for the whole."""
    names = {what: name for name, what in NARROWING.items()}
    return {names[what]: key for what, key in span.only}


def month_end(month: str) -> str:
    """The last day of a month as people write it. Raises PeriodInvalid."""
    return str(_next_month(_month(month)) - timedelta(days=1))


def _span(first: date, after: date, zone: ZoneInfo) -> Span:
    return Span(start=_midnight(first, zone), end=_midnight(after, zone), zone=zone.key)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PeriodInvalid(f"{name!r} is no time zone; write one like Europe/Berlin") from None


def _month(typed: str) -> date:
    found = _MONTH.fullmatch(typed)
    try:
        if found is None:
            raise ValueError
        return _within(date(int(found[1]), int(found[2]), 1))
    except ValueError:
        raise PeriodInvalid(f"{typed!r} is no month; write one like 2026-10") from None


def _day(typed: str) -> date:
    try:
        return _within(date.fromisoformat(typed))
    except ValueError:
        raise PeriodInvalid(f"{typed!r} is no day; write one like 2026-10-31") from None


def _within(day: date) -> date:
    """Far from the ends of the calendar, where adding a month or a zone would fall off."""
    if not 1970 <= day.year <= 9000:
        raise ValueError(f"{day.year} is out of range")
    return day


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _months_before(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 - months
    return date(count // 12, count % 12 + 1, 1)
