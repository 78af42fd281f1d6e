"""How risky an hour is at an issuing bank. Without it attempts would fire at night, when issuers decline half as many again.

Decline rates are about 18 % by day and 25 to 28 % between 01:00 and 04:00 local time, and much higher from midnight
to 05:00 in the issuer's country (recurly.com/blog, card declines by time of day).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, MinLen

from recovery.declines.classify import DeclineClass
from recovery.timing.calendars import BankDays, weekend_of
from recovery.timing.windows import Stretches, Terms, Window
from recovery.timing.zones import apart, zones_of

_FORBID: Any = {"extra": "forbid"}

Weight = Annotated[float, Ge(0), Le(1)]
"""How much likelier a decline is than in the issuer's best hours: 0.4 means 40 % more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankHours:
    """Opening hours of a country's issuers in their local time. The first zone is the main one; days as in BankDays."""

    __pydantic_config__: ClassVar[Any] = _FORBID
    zones: Annotated[tuple[str, ...], MinLen(1)]
    opens: time = time(9, 0)
    closes: time = time(17, 0)
    weekend: tuple[int, ...] = (5, 6)
    holidays: bool = True
    market: str | None = None
    subdivision: str | None = None

    @property
    def days(self) -> BankDays:
        """The working days."""
        return BankDays(weekend=self.weekend, holidays=self.holidays, market=self.market, subdivision=self.subdivision)

    @property
    def shared(self) -> timedelta:
        """How long banks are open in all zones at once on a working day; nothing or less where these are too far apart."""
        day = date.min
        return datetime.combine(day, self.closes) - datetime.combine(day, self.opens) - apart(self.zones)


SHARED_MIN = timedelta(hours=1)
"""A country whose zones share less could hardly ever be tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Opening hours in countries that nobody has listed, in their own local time."""

    __pydantic_config__: ClassVar[Any] = _FORBID
    opens: time = time(10, 0)
    closes: time = time(15, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Local hours with a weight of their own, whether or not the counters are open.

    ``ends`` at or before ``starts`` wraps over midnight. ``every_day`` holds on weekends and holidays too, instead of
    their weights. ``after`` limits it to tries after declines of these classes.
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    name: str
    starts: time
    ends: time
    weight: Weight
    every_day: bool = False
    after: tuple[DeclineClass, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """The weights that hold for some countries and kinds of funding; without any it holds for all.

    ``month_end`` weighs the opening hours of the month's last business day. Where several fit, the one that names both
    country and funding wins over one that names the country, that over one that names the funding.
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    source: str
    countries: tuple[str, ...] = ()
    funding: tuple[str, ...] = ()
    open: Weight = 0.0
    closed: Weight
    weekend: Weight
    holiday: Weight
    month_end: Weight = 0.0
    bands: tuple[Band, ...] = ()

    def rank(self, country: str | None, funding: str | None) -> int | None:
        """How well it fits: None not at all, else the higher the better."""
        if (self.countries and country not in self.countries) or (self.funding and funding not in self.funding):
            return None
        return 2 * bool(self.countries) + bool(self.funding)


@dataclass(frozen=True, kw_only=True)  # without slots: it keeps its windows
class Banks:
    """Bank hours by ISO 3166 country, those of countries that are not listed and of no known country, the weights, zones by region."""

    __pydantic_config__: ClassVar[Any] = _FORBID
    edition: str
    source: str
    unknown: BankHours
    countries: Mapping[str, BankHours]
    risks: Annotated[tuple[Risk, ...], MinLen(1)]
    default: Counter = Counter()
    regions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def _windows(self) -> dict[tuple[str | None, str | None, str | None, DeclineClass | None], Window]:
        return {}

    @cached_property
    def _distinct(self) -> dict[tuple[Terms, tuple[str, ...]], Window]:
        """Few kinds of tries differ in their hours: those that do not share one window, and the days that it has cut."""
        return {}

    @cached_property
    def _unlisted(self) -> dict[str, BankHours]:
        """Made when first asked for; there are no more than there are countries in the time zone database."""
        return {}

    def of(self, country: str | None) -> BankHours:
        """The hours that apply to cards issued in a country."""
        return self.known(country) or self.unknown

    def known(self, country: str | None) -> BankHours | None:
        """A country's own hours: as listed, else the default ones in all of its zones and on its own working days.

        None for no country, for one that nobody knows, and where an unlisted one's zones share no hour (Antarctica).
        """
        found = self.countries.get(country or "") or self._unlisted.get(country or "")
        if found is None and country and (zones := zones_of(country)):
            made = BankHours(
                zones=zones, opens=self.default.opens, closes=self.default.closes, weekend=weekend_of(country)
            )
            if made.shared >= SHARED_MIN:
                found = self._unlisted[country] = made
        return found

    def zone_of(self, country: str | None, region: str | None) -> str | None:
        """The zone of a part of a country (a state or province), or None where it is not known."""
        return self.regions.get(country or "", {}).get((region or "").strip().upper())

    def is_zone_of(self, country: str | None, zone: str | None) -> bool:
        """Whether a zone is one of a country's."""
        known = self.known(country)
        return known is not None and (zone in known.zones or zone in self.regions.get(country or "", {}).values())

    def risk_of(self, country: str | None, funding: str | None) -> Risk:
        """The weights that fit best; of equals the last. Raises LookupError when none fits, which loading rules out."""
        fitting = [
            (rank, number)
            for number, risk in enumerate(self.risks)
            if (rank := risk.rank(country, funding)) is not None
        ]
        if not fitting:
            raise LookupError(f"no weights for {country} {funding}")
        return self.risks[max(fitting)[1]]

    def window(
        self,
        country: str | None,
        funding: str | None = None,
        *,
        zone: str | None = None,
        after: DeclineClass | None = None,
    ) -> Window:
        """The weights of one kind of try over time; made once and kept.

        ``country`` and ``funding`` are the card's, ``zone`` is the customer's own, which counts if it is one of that country,
        ``after`` the class of the decline before.
        """
        asked = (country, funding, zone, after)
        found = self._windows.get(asked)
        if found is None:
            if zone is not None and not self.is_zone_of(country, zone):
                found = self.window(country, funding, after=after)
            else:
                of = (self._terms(country, funding, after), (zone,) if zone else self.of(country).zones)
                found = self._distinct.get(of)
                if found is None:
                    found = self._distinct[of] = Window(*of)
            self._windows[asked] = found
        return found

    def _terms(self, country: str | None, funding: str | None, after: DeclineClass | None) -> Terms:
        known = self.known(country)
        hours = known or self.unknown
        risk = self.risk_of(country, funding)
        bands = tuple(
            Stretches(name=band.name, starts=band.starts, ends=band.ends, weight=band.weight, every_day=band.every_day)
            for band in risk.bands
            if not band.after or after in band.after
        )
        return Terms(
            country=country if known else None,
            days=hours.days,
            opens=hours.opens,
            closes=hours.closes,
            open=risk.open,
            closed=risk.closed,
            weekend=risk.weekend,
            holiday=risk.holiday,
            month_end=risk.month_end,
            bands=bands,
        )
