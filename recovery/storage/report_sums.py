"""What the report's queries are asked and answer. Without names for the sums, tables and queries would agree on bare tuples."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From ``start`` up to, without, ``end``; months and days begin at midnight of ``zone`` (an IANA name)."""

    start: datetime
    end: datetime
    zone: str


class Cut(StrEnum):
    """What the cases of a cohort can be divided by."""

    MONTH = "month"
    REASON = "reason"
    DECLINE_CLASS = "decline_class"


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortSum:
    """The cases that share a key and a currency, by where they stand now."""

    cut: Cut
    key: str
    currency: str
    cases: int
    recovered_cases: int
    credited_cases: int
    open_cases: int
    lost_cases: int
    withdrawn_cases: int
    at_risk_minor: int
    open_minor: int
    lost_minor: int
    withdrawn_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneySum:
    """The recovered charges that share a key and a currency, and what of them went back."""

    cut: Cut
    key: str
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
