"""The risk weights of one kind of card as a function of time. Without it daylight saving and zones would be wrong twice a year.

Weights are defined in local time and looked up by instants: each local day is cut once into stretches of equal weight, at the
edges of hours and at daylight-saving changes, and kept. A local time that is skipped cuts nothing; one that comes twice has the
same weight both times.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from recovery.timing.calendars import BankDays
from recovery.timing.zones import change_within, instant_of

SEARCH_DAYS: Final = 30
"""The longest closure looked through. Golden week and lunar new year close banks for about ten days."""

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretches:
    """Local hours of every day with a weight of their own; over midnight when ``ends`` is not after ``starts``."""

    name: str
    starts: time
    ends: time
    weight: float
    every_day: bool

    def covers(self, clock: time) -> bool:
        """Whether a local time lies inside."""
        if self.starts < self.ends:
            return self.starts <= clock < self.ends
        return clock >= self.starts or clock < self.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What makes the weights: working days, opening hours, the weights beside them, and bands of their own."""

    country: str | None
    days: BankDays
    opens: time
    closes: time
    open: float
    closed: float
    weekend: float
    holiday: float
    month_end: float
    bands: tuple[Stretches, ...]

    def weigh(self, day: date, clock: time) -> tuple[float, str]:
        """Weight and name of a local time. On days off the day's weight holds unless a band is worse or holds every day."""
        band = next((b for b in self.bands if b.covers(clock)), None)
        if band is not None and band.every_day:
            return band.weight, band.name
        holiday = self.days.holiday(self.country, day)
        if holiday is not None or day.weekday() in self.days.weekend:
            off = (self.holiday, f"bank holiday ({holiday})") if holiday else (self.weekend, "bank weekend")
            return (band.weight, band.name) if band is not None and band.weight > off[0] else off
        if band is not None:
            return band.weight, band.name
        if not self.opens <= clock < self.closes:
            return self.closed, "issuer off-hours"
        if self.month_end > self.open and day == self.days.last_of_month(self.country, day):
            return self.month_end, "month-end"
        return self.open, "bank hours"

    def edges(self) -> list[time]:
        """The local times at which a weight may change."""
        found = {time.min, self.opens, self.closes}
        for band in self.bands:
            found |= {band.starts, band.ends}
        return sorted(found)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From ``starts`` until before ``ends`` one weight holds."""

    starts: datetime
    ends: datetime
    weight: float
    name: str


class Window:
    """Weights over time; in a country of several zones the worst of all of them holds."""

    __slots__ = ("_days", "_main", "_terms", "_zones", "zone")

    def __init__(self, terms: Terms, zones: tuple[str, ...]) -> None:
        self._terms = terms
        self._zones = tuple(ZoneInfo(zone) for zone in zones)
        self._main = self._zones[0]
        self.zone = zones[0]
        self._days: dict[date, tuple[Stretch, ...]] = {}

    @property
    def country(self) -> str | None:
        """The country whose calendar is followed; None for the default hours."""
        return self._terms.country

    @property
    def working_days(self) -> BankDays:
        """The working days that are followed."""
        return self._terms.days

    def local(self, at: datetime) -> datetime:
        """An instant in the main zone."""
        return at.astimezone(self._main)

    def instant(self, day: date, clock: time) -> datetime:
        """A local time of the main zone; a skipped one becomes the first instant after the gap, of two the first."""
        return instant_of(day, clock, self._main)

    def at(self, at: datetime) -> Stretch:
        """The stretch that an instant lies in."""
        day = at.astimezone(self._main).date()
        for stretch in self._day(day):
            if at < stretch.ends:
                return stretch
        raise AssertionError(f"{at} lies in no stretch of {day} in {self.zone}")

    def next_within(self, risk_max: float, at: datetime) -> Stretch | None:
        """The first stretch of at most that weight that has time left at or after an instant; None within SEARCH_DAYS."""
        day = at.astimezone(self._main).date()
        for _ in range(SEARCH_DAYS):
            for stretch in self._day(day):
                if stretch.weight <= risk_max and at < stretch.ends:
                    return stretch
            day += _ONE_DAY
        return None

    def _day(self, day: date) -> tuple[Stretch, ...]:
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = self._cut(day)
        return found

    def _cut(self, day: date) -> tuple[Stretch, ...]:
        begins = instant_of(day, time.min, self._main)
        ends = instant_of(day + _ONE_DAY, time.min, self._main)
        edges = sorted({begins, ends} | {e for z in self._zones for e in self._edges(z, begins, ends)})
        cut: list[Stretch] = []
        for starts, until in pairwise(edges):
            weight, name = max((self._weigh(zone, starts) for zone in self._zones), key=lambda found: found[0])
            if cut and cut[-1].weight == weight and cut[-1].name == name:
                cut[-1] = Stretch(cut[-1].starts, until, weight, name)
            else:
                cut.append(Stretch(starts, until, weight, name))
        return tuple(cut)

    def _weigh(self, zone: ZoneInfo, at: datetime) -> tuple[float, str]:
        local = at.astimezone(zone)
        return self._terms.weigh(local.date(), local.time())

    def _edges(self, zone: ZoneInfo, begins: datetime, ends: datetime) -> list[datetime]:
        """Where weights may change in one zone between two instants: every edge both times it shows on the clock."""
        found = [c for c in [change_within(zone, begins, ends)] if c is not None]
        day = begins.astimezone(zone).date()
        last = ends.astimezone(zone).date()
        while day <= last:
            for clock in self._terms.edges():
                for fold in (0, 1):
                    at = datetime.combine(day, clock.replace(fold=fold), tzinfo=zone).astimezone(UTC)
                    if begins < at < ends:
                        found.append(at)
            day += _ONE_DAY
        return found
