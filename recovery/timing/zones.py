"""Local times as instants. Without it a time skipped or repeated by daylight saving would fire twice or never."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)


def instant_of(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A local time as an instant (UTC): of a repeated one the first, of a skipped one the first instant after the gap."""
    local = datetime.combine(day, clock, tzinfo=zone)
    at = local.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return at
    late = local.replace(fold=1).astimezone(UTC)
    found = change_within(zone, min(at, late) - _SECOND, max(at, late) + _SECOND)
    assert found is not None, f"{local} is skipped in {zone}, but no change is found"
    return found


def change_within(zone: ZoneInfo, begins: datetime, ends: datetime) -> datetime | None:
    """The first instant of a new offset between two instants, or None where the offset at both is the same."""
    before = begins.astimezone(zone).utcoffset()
    if ends.astimezone(zone).utcoffset() == before:
        return None
    low, high = begins, ends
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
