"""When it is decent to write to somebody. Without it an email about money would arrive at night, or spoil a Sunday."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from recovery.timing.zones import instant_of

_ROUNDS_MAX = 60
"""Zones push each other forward by hours; a month of days settles every pair that shares an hour at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Courtesy:
    """The local hours in which emails may leave. ``weekend`` holds the weekdays (0 is Monday) on which none do."""

    opens: time
    closes: time
    weekend: tuple[int, ...] = ()


def decent_from(courtesy: Courtesy, zones: Sequence[str], at: datetime) -> datetime:
    """The first instant from ``at`` on that is decent in every zone; in the first one alone where they share no hour."""
    found = at
    for _ in range(_ROUNDS_MAX):
        pushed = max(_decent(courtesy, ZoneInfo(zone), found) for zone in zones)
        if pushed == found:
            return found
        found = pushed
    return _decent(courtesy, ZoneInfo(zones[0]), at)


def _decent(courtesy: Courtesy, zone: ZoneInfo, at: datetime) -> datetime:
    local = at.astimezone(zone)
    day = local.date()
    if local.time() >= courtesy.closes:
        day += timedelta(days=1)
    while day.weekday() in courtesy.weekend:
        day += timedelta(days=1)
    if day == local.date() and local.time() >= courtesy.opens:
        return at
    return instant_of(day, courtesy.opens, zone).astimezone(UTC)
