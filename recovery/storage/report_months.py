"""The months of a span, as people count them. Left to PostgreSQL one would begin an hour late where its first midnight comes twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from recovery.storage.report_sums import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One month of a zone: its name, like 2026-10, and the instants from which up to, without, which it goes."""

    name: str
    begins_at: datetime
    ends_at: datetime


def months_of(span: Span) -> Iterator[Month]:
    """The months that a span lies in, whole, oldest first."""
    zone = ZoneInfo(span.zone)
    first = span.start.astimezone(zone).date().replace(day=1)
    while (begins_at := _midnight(first, zone)) < span.end:
        after = (first + timedelta(days=32)).replace(day=1)
        yield Month(name=f"{first:%Y-%m}", begins_at=begins_at, ends_at=_midnight(after, zone))
        first = after


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)
