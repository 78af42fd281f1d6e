"""When people get their money, by country. Without it "wait for money" could mean no more than "wait three days"."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Any, ClassVar

from annotated_types import MinLen

from recovery.timing.windows import Window

_FORBID: Any = {"extra": "forbid"}

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_ONE_DAY = timedelta(days=1)

_SEARCH_MONTHS = 3
"""Every rule pays at least once in two months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayRules:
    """How a country is paid.

    ``rules`` are ``day:25``, ``last_business_day``, ``business_day:5`` or ``weekday:friday``. ``from_time`` is the local time from
    which the money can be counted on, ``debit_from_time`` the one for accounts that are booked at the start of the day.
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    rules: Annotated[tuple[str, ...], MinLen(1)]
    from_time: time = time(9, 0)
    debit_from_time: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payday:
    """One day on which money is expected, as an instant and as the rule that says so."""

    at: datetime
    day: date
    rule: str


@dataclass(frozen=True, kw_only=True)  # without slots: it keeps its months
class Paydays:
    """Pay rules by ISO 3166 country, and those for countries that are not listed."""

    __pydantic_config__: ClassVar[Any] = _FORBID
    edition: str
    source: str
    unknown: PayRules
    countries: Mapping[str, PayRules]

    @cached_property
    def _months(self) -> dict[tuple[Window, str | None, int, int, bool], tuple[Payday, ...]]:
        return {}

    def next(self, window: Window, country: str | None, funding: str | None, after: datetime) -> Payday:
        """The first payday of a country at or after an instant, in the local time of the issuer's window."""
        rules = self.countries.get(country or "", self.unknown)
        debit = funding in ("debit", "prepaid")
        local = window.local(after)
        year, month = local.year, local.month
        for _ in range(_SEARCH_MONTHS):
            asked = (window, country, year, month, debit)
            found = self._months.get(asked)
            if found is None:
                found = self._months[asked] = tuple(_of_month(rules, window, year, month, debit=debit))
            for payday in found:
                if payday.at >= after:
                    return payday
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        raise AssertionError(f"no payday in {country} within {_SEARCH_MONTHS} months of {after}")


def rule_mistake(rule: str) -> str | None:
    """What is wrong with a pay rule, or None."""
    kind, _, value = rule.partition(":")
    if kind == "last_business_day" and not value:
        return None
    if kind == "weekday" and value in WEEKDAYS:
        return None
    limit = {"day": 28, "business_day": 20}.get(kind)
    if limit is not None and value.isdigit() and 1 <= int(value) <= limit:
        return None
    return f"{rule!r} is none of day:1 … day:28, last_business_day, business_day:1 … business_day:20, weekday:friday"


def _of_month(rules: PayRules, window: Window, year: int, month: int, *, debit: bool) -> Iterator[Payday]:
    """The paydays that fall in a month, also those that a day off moved into it from the month before."""
    clock = rules.debit_from_time if debit and rules.debit_from_time else rules.from_time
    first = date(year, month, 1)
    before = (first - _ONE_DAY).replace(day=1)
    days: dict[date, str] = {}
    for rule in rules.rules:
        for day in (*_days(rule, window, before), *_days(rule, window, first)):
            if (day.year, day.month) == (year, month):
                days.setdefault(day, rule)
    for day in sorted(days):
        yield Payday(at=window.instant(day, clock), day=day, rule=days[day].replace("_", " ").replace(":", " "))


def _days(rule: str, window: Window, first: date) -> Iterator[date]:
    work, country = window.working_days, window.country
    kind, _, value = rule.partition(":")
    if kind == "last_business_day":
        yield work.last_of_month(country, first)
    elif kind == "day":
        # Paid on the business day before or after: from the one after on the money is there either way.
        yield work.moved(country, first.replace(day=int(value)), 1)
    elif kind == "business_day":
        day = first - timedelta(days=1)
        for _ in range(int(value)):
            day = work.moved(country, day + timedelta(days=1), 1)
        yield day
    else:
        day = first + timedelta(days=(WEEKDAYS.index(value) - first.weekday()) % 7)
        while day.month == first.month:
            yield day
            day += timedelta(days=7)
