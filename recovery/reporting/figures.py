"""The figures, computed from sums. Pure: the same sums give the same report, on every page and in every export."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from recovery.cases.lifecycle import CREDITED, Source
from recovery.reporting import definitions
from recovery.reporting.table import TOTAL, Figure, Rate, Row, Table
from recovery.storage.report_sums import AttemptSum, CashSum, CohortSum, MoneySum

Key = tuple[str, str]
Sums = dict[str, int]

_CREDITED = frozenset(source.value for source in CREDITED)


def cohort_table(name: str, cohorts: Sequence[CohortSum], money: Sequence[MoneySum]) -> Table:
    """Cases by month of failure, or by another cut of them; with a total for each currency when there are several rows."""
    title, key_label, definition = _COHORT_TITLES[name]
    sums: dict[Key, Sums] = {}
    for cohort in cohorts:
        sums[cohort.key, cohort.currency] = {**_NO_MONEY, **_numbers(asdict(cohort))}
    for paid in money:
        found = sums.setdefault((paid.key, paid.currency), {**_NO_COHORT, **_NO_MONEY})
        found["recovered_minor"] += paid.recovered_minor
        found["refunded_minor"] += paid.refunded_minor
        found["disputed_minor"] += paid.disputed_minor
        if paid.source in _CREDITED:
            found["credited_minor"] += paid.recovered_minor
    rows = [_row(key, currency, _cohort_figures(found)) for key, currency, found in _with_totals(sums)]
    return Table(
        name=name,
        title=title,
        key_label=key_label,
        definition=definition,
        columns=definitions.COHORT,
        rows=tuple(rows),
    )


def cash_table(cash: Sequence[CashSum]) -> Table:
    """What occurred in each month, whenever the payments had failed."""
    sums = {(month.key, month.currency): _numbers(asdict(month)) for month in cash}
    rows = [_row(key, currency, {**found, "net_minor": _net(found)}) for key, currency, found in _with_totals(sums)]
    return Table(
        name="cash",
        title="By cash date",
        key_label="Month of the booking",
        definition="Each booking in the month in which it occurred, whenever the payment had failed.",
        columns=definitions.CASH,
        rows=tuple(rows),
    )


def source_table(name: str, cohorts: Sequence[CohortSum], money: Sequence[MoneySum]) -> Table:
    """Where the recovered money came from; sources that brought nothing have no row."""
    at_risk: dict[str, int] = {}
    for cohort in cohorts:
        at_risk[cohort.currency] = at_risk.get(cohort.currency, 0) + cohort.at_risk_minor
    recovered = {currency: sum(m.recovered_minor for m in money if m.currency == currency) for currency in at_risk}
    rows = []
    for currency in sorted(at_risk):
        for source in Source:
            found = [m for m in money if m.source == source.value and m.currency == currency]
            if not found:
                continue
            gross = sum(m.recovered_minor for m in found)
            refunded, disputed = sum(m.refunded_minor for m in found), sum(m.disputed_minor for m in found)
            figures: dict[str, Figure] = {
                "credited": "yes" if source.value in _CREDITED else "never",
                "cases": sum(m.cases for m in found),
                "share_of_recovered": Rate(part=gross, whole=recovered[currency]),
                "share_of_at_risk": Rate(part=gross, whole=at_risk[currency]),
                "recovered_minor": gross,
                "refunded_minor": refunded,
                "disputed_minor": disputed,
                "net_minor": gross - refunded - disputed,
            }
            rows.append(_row(source.value, currency, figures))
    return Table(
        name=name,
        title="By source of the money",
        key_label="Source",
        definition="The cases whose payment failed in the period, by what brought the money.",
        columns=definitions.SOURCE,
        rows=tuple(rows),
    )


def attempt_table(attempts: Sequence[AttemptSum]) -> Table:
    """How the engine's first, second, … attempts fared."""
    rows = [
        _row(
            str(found.number),
            found.currency,
            {
                "attempts": found.attempts,
                "succeeded": found.succeeded,
                "open": found.open,
                "success_rate": Rate(part=found.succeeded, whole=found.attempts),
                "recovered_minor": found.recovered_minor,
            },
        )
        for found in attempts
    ]
    return Table(
        name="attempt",
        title="By attempt number",
        key_label="Attempt",
        definition="The engine's own attempts on the cases whose payment failed in the period.",
        columns=definitions.ATTEMPT,
        rows=tuple(rows),
    )


_COHORT_TITLES = {
    "cohort": (
        "By failure cohort",
        "Month of the failure",
        "Cases in the month in which their payment failed, as they stand now; the money whenever it came.",
    ),
    "reason": (
        "By decline reason",
        "Code of the failure",
        "The same cases by the code of the failure that opened them.",
    ),
    "class": (
        "By decline class",
        "Class of the last decline",
        "The same cases by the class of the last decline that is known of them.",
    ),
}
"""Title, what the rows are, and the sentence that defines the table."""

_NO_MONEY: Sums = {"recovered_minor": 0, "credited_minor": 0, "refunded_minor": 0, "disputed_minor": 0}
_NO_COHORT: Sums = {name: 0 for name in CohortSum.__dataclass_fields__ if name not in ("key", "currency")}


def _numbers(found: dict[str, object]) -> Sums:
    return {name: value for name, value in found.items() if isinstance(value, int)}


def _net(found: Sums) -> int:
    return found["recovered_minor"] - found["refunded_minor"] - found["disputed_minor"]


def _cohort_figures(found: Sums) -> dict[str, Figure]:
    at_risk = found["at_risk_minor"]
    return {
        **found,
        "net_minor": _net(found),
        "rate_by_count": Rate(part=found["recovered_cases"], whole=found["cases"]),
        "rate_by_value": Rate(part=found["recovered_minor"], whole=at_risk),
        "credited_rate_by_value": Rate(part=found["credited_minor"], whole=at_risk),
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
