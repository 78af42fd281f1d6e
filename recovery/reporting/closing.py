"""Closing a month, and what changed since. Without it a refund in March would silently change what was signed in February."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine

from recovery.reporting.figures import net_of
from recovery.reporting.period import Asked, span_of
from recovery.storage.closing_store import ClosedMonth, Figures, hold_ledger, read_closings, save_closing
from recovery.storage.report_cohorts import cohort_sums
from recovery.storage.report_queries import cash_sums, prepare
from recovery.storage.report_sums import Cut, Span

_BASES: Final = ("cash", "cohort")
_ALWAYS: Final = "net_minor"
"""The figure that is shown for every closed month, whether it changed or not."""


class MonthNotOver(ValueError):
    """A month can be closed once it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Who closes which month, and what the comparison with the gateway had to say."""

    month: str
    zone: str
    closed_by: str
    reconciled: Mapping[str, Any] | None = None


def month_over(month: str, zone: str, *, now: datetime) -> Span:
    """The span of a month that can be closed. Raises MonthNotOver, PeriodInvalid."""
    span = span_of(Asked(month=month, zone=zone), now=now)
    if span.end > now:
        raise MonthNotOver(f"{month} is not over in {zone}; close it after {span.end:%Y-%m-%d %H:%M} UTC")
    return span


def close_month(database: Engine, closing: Closing, *, now: datetime) -> ClosedMonth:
    """Keep the month's figures as they are now; nothing is booked meanwhile. Raises MonthNotOver, AlreadyClosed, PeriodInvalid."""
    span = month_over(closing.month, closing.zone, now=now)
    with database.begin() as tx:
        prepare(tx)
        last_entry = hold_ledger(tx)
        closed = ClosedMonth(
            month=closing.month,
            zone=closing.zone,
            closed_at=now,
            closed_by=closing.closed_by,
            last_entry=last_entry,
            figures=month_figures(tx, span),
        )
        save_closing(tx, closed, reconciled=closing.reconciled)
    return closed


def month_figures(tx: Connection, span: Span) -> Figures:
    """The figures of one month on both bases, by currency."""
    found: dict[str, dict[str, dict[str, int]]] = {basis: {} for basis in _BASES}
    for cash in cash_sums(tx, span):
        found["cash"][cash.currency] = _numbers(asdict(cash))
    for cohort in cohort_sums(tx, span, [Cut.MONTH]):
        found["cohort"][cohort.currency] = _numbers(asdict(cohort))
    return found


def restated(tx: Connection, span: Span) -> Iterator[tuple[str, str, str, int, int]]:
    """Of each closed month of the span: figure, currency, as closed, now; net always, others where they changed.

    A month that was closed in another time zone is compared in that one, and says so. A narrowed span has none: months are closed as a
    whole.
    """
    if span.only:
        return
    for closed in read_closings(tx):
        here, there = (
            span_of(Asked(month=closed.month, zone=zone), now=closed.closed_at) for zone in (span.zone, closed.zone)
        )
        if here.start < span.start or here.end > span.end:
            continue
        now = month_figures(tx, there)
        for basis in _BASES:
            for name, currency, first, present in _compared(closed, basis, now):
                words = name if span.zone == closed.zone else f"{name} in {closed.zone}"
                yield closed.month, words, currency, first, present


def _compared(closed: ClosedMonth, basis: str, now: Figures) -> Iterator[tuple[str, str, int, int]]:
    first = closed.figures.get(basis, {})
    for currency in sorted({*first, *now[basis]}):
        before, after = first.get(currency, {}), now[basis].get(currency, {})
        for name in sorted({*before, *after}):
            amounts = before.get(name, 0), after.get(name, 0)
            if name.endswith("_minor") and (name == _ALWAYS or amounts[0] != amounts[1]):
                words = name.removesuffix("_minor").replace("_", " ")
                yield f"{words}, by {'cash date' if basis == 'cash' else basis}", currency, *amounts


def _numbers(found: dict[str, Any]) -> dict[str, int]:
    numbers = {name: value for name, value in found.items() if isinstance(value, int)}
    return numbers | {_ALWAYS: net_of(numbers)}
