"""What the report's queries are asked and answer. Without names for the sums, tables and queries would agree on bare tuples."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final


class Cut(StrEnum):
    """What the cases of a cohort can be divided by, and be narrowed to."""

    MONTH = "month"
    REASON = "reason"
    DECLINE_CLASS = "decline_class"
    BRAND = "brand"
    COUNTRY = "country"
    SEGMENT = "segment"
    TENURE = "tenure"
    CONTRACT = "contract"
    AMOUNT = "amount_band"
    EMAILS = "emails"
    DAYS = "days"
    ARM = "arm"


class Only(StrEnum):
    """What else the cases can be narrowed to."""

    CURRENCY = "currency"
    STATE = "state"
    SOURCE = "source"
    ATTEMPT = "attempt"
    HOUR = "hour"
    MONEY = "money"


MONEY_KEYS: Final = ("recovered", "credited", "refunded", "disputed", "fee")
"""What money can be narrowed to: the cases whose figure of that name is not nought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From ``start`` up to, without, ``end``; months and days begin at midnight of ``zone`` (an IANA name).

    ``only`` narrows to the cases that have each of these keys.
    """

    start: datetime
    end: datetime
    zone: str
    only: tuple[tuple[Cut | Only, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortSum:
    """The cases that share a key and a currency, by where they stand now, with the money they brought whenever it came.

    ``recovery_seconds`` is the time from failure to recovery, added up over the recovered cases.
    """

    cut: Cut
    key: str
    currency: str
    cases: int
    recovered_cases: int
    credited_cases: int
    unwritten_cases: int
    open_cases: int
    lost_cases: int
    withdrawn_cases: int
    recovery_seconds: int
    at_risk_minor: int
    recovered_minor: int
    credited_minor: int
    refunded_minor: int
    disputed_minor: int
    fee_minor: int
    monthly_minor: int
    one_off_minor: int
    open_minor: int
    lost_minor: int
    withdrawn_minor: int


SUMS: Final = tuple(name for name in CohortSum.__dataclass_fields__ if name not in ("cut", "key", "currency"))
"""What is added up of cases; sums of other things use some of these places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSum:
    """The recovered charges of one source, and what of them went back."""

    currency: str
    source: str
    cases: int
    recovered_minor: int
    refunded_minor: int
    disputed_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CashSum:
    """What occurred in one month, whenever the payments had failed."""

    key: str
    currency: str
    failed_cases: int
    at_risk_minor: int
    recovered_cases: int
    recovered_minor: int
    credited_minor: int
    refunded_minor: int
    disputed_minor: int
    fee_minor: int
    lost_minor: int
    withdrawn_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSum:
    """The attempts of one number, over all cases of the cohort."""

    number: int
    currency: str
    attempts: int
    succeeded: int
    open: int
    recovered_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HourSum:
    """The attempts of one hour of the issuer's local week; ``slot`` counts from Monday 0 h."""

    slot: int
    currency: str
    attempts: int
    succeeded: int
    open: int
    recovered_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySum:
    """What one day added: money that became at risk, and money recovered of the cohort, credited to the engine or not."""

    day: date
    currency: str
    at_risk_minor: int
    credited_minor: int
    uncredited_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredTotal:
    """All recovered money of a currency and a source, ever."""

    currency: str
    source: str
    recovered_minor: int
