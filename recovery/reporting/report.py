"""Puts the report together from one consistent view of the database. Without it two tables of one page could disagree."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Engine

from recovery.reporting.figures import attempt_table, cash_table, cohort_table, source_table
from recovery.reporting.table import Table
from recovery.storage.report_queries import attempt_sums, cash_sums, cohort_sums, day_sums, money_sums, prepare
from recovery.storage.report_sums import Cut, DaySum, Span


class View(StrEnum):
    """The tables a report can have."""

    COHORT = "cohort"
    CASH = "cash"
    SOURCE = "source"
    REASON = "reason"
    CLASS = "class"
    ATTEMPT = "attempt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The tables asked for over a span. ``made_at`` is the business instant up to which it knows; ``days`` feed the chart."""

    span: Span
    made_at: datetime
    tables: tuple[Table, ...]
    days: tuple[DaySum, ...]


_CUTS = {
    View.COHORT: Cut.MONTH,
    View.SOURCE: Cut.MONTH,
    View.REASON: Cut.REASON,
    View.CLASS: Cut.DECLINE_CLASS,
}
"""What the cases are divided by, for the tables that divide them."""


def report(
    database: Engine,
    span: Span,
    *,
    made_at: datetime,
    views: Collection[View] = tuple(View),
    with_days: bool = True,
) -> Report:
    """The report over a span, all tables from one snapshot; ``with_days`` for the chart. Raises the database's own errors."""
    snapshot = database.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    tables: list[Table] = []
    cuts = {_CUTS[view] for view in views if view in _CUTS}
    with snapshot.begin() as tx:
        prepare(tx)
        cohorts = cohort_sums(tx, span, cuts) if cuts else []
        money = money_sums(tx, span, cuts) if cuts else []
        for view in (view for view in View if view in views):
            if view is View.CASH:
                tables.append(cash_table(cash_sums(tx, span)))
            elif view is View.ATTEMPT:
                tables.append(attempt_table(attempt_sums(tx, span)))
            else:
                make = source_table if view is View.SOURCE else cohort_table
                of_cut = [one for one in cohorts if one.cut is _CUTS[view]]
                tables.append(make(view, of_cut, [one for one in money if one.cut is _CUTS[view]]))
        days = tuple(day_sums(tx, span)) if with_days else ()
    return Report(span=span, made_at=made_at, tables=tuple(tables), days=days)
