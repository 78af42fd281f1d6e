"""Local times as instants, and the zones of a country. Without it a time skipped or repeated by daylight saving would fire twice
or never, and a card from a country that nobody listed would be tried in the evening or at night.

Which zones a country has is told by the file zone.tab of the time zone database, which the package tzdata ships.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)

_SEASONS = (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC))
"""No clock is changed near these days."""


def zones_of(country: str) -> tuple[str, ...]:
    """All zones of an ISO 3166 country, mostly that of most people first; none where nobody lives or nobody knows it."""
    return _zones_by_country().get(country, ())


@cache
def _zones_by_country() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            found[country] = (*found.get(country, ()), zone)
    return found


def apart(zones: Sequence[str]) -> timedelta:
    """By how much the clocks of some zones differ at most, in January or in July."""
    clocks = [[at.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC) for zone in zones] for at in _SEASONS]
    return max(max(shown) - min(shown) for shown in clocks)


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
