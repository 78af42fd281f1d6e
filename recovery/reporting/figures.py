"""The figures, computed from sums. Pure: the same sums give the same report, on every page and in every export."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Final

from recovery.cases.lifecycle import CREDITED, Source
from recovery.reporting import definitions
from recovery.reporting.table import TOTAL, Figure, Mean, Rate, Row, Table
from recovery.reporting.views import View, table_of
from recovery.storage.report_sums import AttemptSum, CashSum, CohortSum, HourSum, SourceSum

Key = tuple[str, str]
Sums = dict[str, int]

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_CREDITED = frozenset(source.value for source in CREDITED)


def cohort_table(view: View, cohorts: Sequence[CohortSum]) -> Table:
    """Cases by month of failure, or by another cut of them; with a total for each currency when there are several rows."""
    sums = {(cohort.key, cohort.currency): _numbers(asdict(cohort)) for cohort in cohorts}
    rows = [_row(key, currency, _cohort_figures(found)) for key, currency, found in _with_totals(sums)]
    return table_of(view, definitions.COHORT, rows)


def cash_table(cash: Sequence[CashSum]) -> Table:
    """What occurred in each month, whenever the payments had failed."""
    sums = {(month.key, month.currency): _numbers(asdict(month)) for month in cash}
    rows = [_row(key, currency, {**found, "net_minor": net_of(found)}) for key, currency, found in _with_totals(sums)]
    return table_of(View.CASH, definitions.CASH, rows)


def source_table(cohorts: Sequence[CohortSum], sources: Sequence[SourceSum]) -> Table:
    """Where the recovered money came from; sources that brought nothing have no row."""
    at_risk: dict[str, int] = {}
    for cohort in cohorts:
        at_risk[cohort.currency] = at_risk.get(cohort.currency, 0) + cohort.at_risk_minor
    recovered = {currency: sum(s.recovered_minor for s in sources if s.currency == currency) for currency in at_risk}
    rows = []
    order = {source.value: place for place, source in enumerate(Source)}
    for found in sorted(sources, key=lambda one: (one.currency, order[one.source])):
        gross = found.recovered_minor
        figures: dict[str, Figure] = {
            "credited": "yes" if found.source in _CREDITED else "never",
            "cases": found.cases,
            "share_of_recovered": Rate(part=gross, whole=recovered[found.currency]),
            "share_of_at_risk": Rate(part=gross, whole=at_risk[found.currency]),
            "recovered_minor": gross,
            "refunded_minor": found.refunded_minor,
            "disputed_minor": found.disputed_minor,
            "kept_minor": gross - found.refunded_minor - found.disputed_minor,
        }
        rows.append(_row(found.source, found.currency, figures))
    return table_of(View.SOURCE, definitions.SOURCE, rows)


def attempt_table(attempts: Sequence[AttemptSum]) -> Table:
    """How the engine's first, second, … attempts fared."""
    rows = [_row(str(found.number), found.currency, _tries(found)) for found in attempts]
    return table_of(View.ATTEMPT, definitions.ATTEMPT, rows)


def hour_table(hours: Sequence[HourSum]) -> Table:
    """How attempts fared by the hour of the issuer's local week; hours without any have no row."""
    rows = [_row(hour_key(found.slot), found.currency, _tries(found)) for found in hours]
    return table_of(View.HOURS, definitions.HOURS, rows)


def hour_key(slot: int) -> str:
    """An hour of the week as its row is named: "Mon 09"."""
    return f"{WEEKDAYS[slot // 24]} {slot % 24:02}"


def net_of(found: Sums) -> int:
    """What is left of gross recovered money."""
    return found["recovered_minor"] - found["refunded_minor"] - found["disputed_minor"] - found["fee_minor"]


def restated_table(restated: Iterable[tuple[str, str, str, int, int]]) -> Table:
    """Month, figure, currency, first and present amount of what is shown for closed months."""
    rows = [
        _row(f"{month} {name}", currency, {"first_minor": first, "now_minor": now, "restated_minor": now - first})
        for month, name, currency, first, now in restated
    ]
    return table_of(View.RESTATED, definitions.RESTATED, rows)


def _tries(found: AttemptSum | HourSum) -> dict[str, Figure]:
    return {
        "attempts": found.attempts,
        "succeeded": found.succeeded,
        "open": found.open,
        "success_rate": Rate(part=found.succeeded, whole=found.attempts),
        "recovered_minor": found.recovered_minor,
    }


def _numbers(found: dict[str, object]) -> Sums:
    return {name: value for name, value in found.items() if isinstance(value, int)}


def _cohort_figures(found: Sums) -> dict[str, Figure]:
    at_risk = found["at_risk_minor"]
    return {
        **found,
        "net_minor": net_of(found),
        "rate_by_count": Rate(part=found["recovered_cases"], whole=found["cases"]),
        "rate_by_value": Rate(part=found["recovered_minor"], whole=at_risk),
        "credited_rate_by_value": Rate(part=found["credited_minor"], whole=at_risk),
        "days_to_recovery": Mean(seconds=found["recovery_seconds"], cases=found["recovered_cases"]),
    }


def _with_totals(sums: dict[Key, Sums]) -> Iterable[tuple[str, str, Sums]]:
    """Currency by currency, each followed by its total where it has more than one row."""
    for currency in sorted({currency for _, currency in sums}):
        keys = sorted(key for key, of in sums if of == currency)
        total: Sums = {}
        for key in keys:
            found = sums[key, currency]
            total = {name: total.get(name, 0) + value for name, value in found.items()}
            yield key, currency, found
        if len(keys) > 1:
            yield TOTAL, currency, total


def _row(key: str, currency: str, figures: dict[str, Figure]) -> Row:
    return Row(key=key, currency=currency, figures=figures)
