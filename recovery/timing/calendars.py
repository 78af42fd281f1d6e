"""Which days banks work. Without library calendars golden week and Eid would be guessed at, and wrong every year."""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, ClassVar

import holidays
from holidays.registry import EntityLoader


@dataclass(frozen=True, slots=True, kw_only=True)
class BankDays:
    """The working days of a country's banks: weekend (Monday is 0), and the holiday calendar that fits them best.

    ``market`` names a financial calendar where it fits better than public holidays (XFED, XECB); ``subdivision`` the part of
    the country that its banks follow; ``holidays`` False ignores holidays.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}
    weekend: tuple[int, ...] = (5, 6)
    holidays: bool = True
    market: str | None = None
    subdivision: str | None = None

    def holiday(self, country: str | None, day: date) -> str | None:
        """The bank holiday of a country on a day, or None; None also where the calendars do not know the country."""
        if not self.holidays or not country:
            return None
        return _year(country, self.market, self.subdivision, day.year).get(day)

    def working(self, country: str | None, day: date) -> bool:
        """Whether banks are at work on a day."""
        return day.weekday() not in self.weekend and self.holiday(country, day) is None

    def last_of_month(self, country: str | None, day: date) -> date:
        """The last business day of the month that a day lies in."""
        last = day.replace(day=calendar.monthrange(day.year, day.month)[1])
        return self.moved(country, last, -1)

    def moved(self, country: str | None, day: date, step: int) -> date:
        """The day itself if banks work, else the next one in the direction (1 later, -1 earlier)."""
        for _ in range(_CLOSED_DAYS_MAX):
            if self.working(country, day):
                return day
            day += timedelta(days=step)
        raise ValueError(f"no bank of {country} works for {_CLOSED_DAYS_MAX} days around {day}")


def weekend_of(country: str) -> tuple[int, ...]:
    """The weekdays (Monday is 0) on which a country's banks rest; Saturday and Sunday where the library does not know it."""
    if country not in _SUPPORTED:
        return _SATURDAY_SUNDAY
    calendar_ = holidays.country_holidays(country)
    off = tuple(day.weekday() for day in _SOME_WEEK if calendar_.is_weekend(day))
    # Where the law on labour has Sunday alone, banks work half of Saturday or not at all.
    return _SATURDAY_SUNDAY if off in ((), (6,)) else off


_SATURDAY_SUNDAY = (5, 6)

_SOME_WEEK = tuple(date(2026, 6, 1) + timedelta(days=number) for number in range(7))
"""Later than any weekend that was moved (the Emirates', in 2022)."""

_LANGUAGE = "en_US"
"""Every calendar that is translated has it. Left open, the library takes the machine's: a reason would read differently on each."""

_CLOSED_DAYS_MAX = 30
"""Golden week and lunar new year close banks for about ten days; thirty is a broken calendar."""


def unknown_calendar(days: BankDays, country: str | None) -> str | None:
    """What is wrong with the calendar that is asked for, or None."""
    if days.market is not None and days.market not in EntityLoader.get_financial_codes():
        return f"the holidays library has no financial calendar {days.market!r}"
    if days.subdivision is not None:
        known = holidays.list_supported_countries().get(country or "", [])
        if days.subdivision not in known:
            return f"the holidays library knows no part {days.subdivision!r} of {country}"
    return None


@lru_cache(maxsize=4096)
def _year(country: str, market: str | None, subdivision: str | None, year: int) -> Mapping[date, str]:
    """The holidays of one year, public and bank holidays together."""
    if market is not None:
        return dict(holidays.financial_holidays(market, years=year, language=_LANGUAGE))
    if country not in _SUPPORTED:
        return {}
    known = holidays.country_holidays(country, subdiv=subdivision)
    wanted = tuple(c for c in ("public", "bank") if c in known.supported_categories)
    return dict(
        holidays.country_holidays(
            country, subdiv=subdivision, years=year, categories=wanted or None, language=_LANGUAGE
        )
    )


# By the registry: the library's list of countries loads all two hundred and fifty calendars, in every process and command.
_SUPPORTED = frozenset(EntityLoader.get_country_codes(include_aliases=False))
