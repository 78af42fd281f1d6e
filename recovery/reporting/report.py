"""Puts the report together from one consistent view of the database. Without it two tables of one page could disagree."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Engine

from recovery.reporting.figures import attempt_table, cash_table, cohort_table, source_table
from recovery.reporting.table import Table
from recovery.storage.report_queries import (
    Cut,
    DaySum,
    Span,
    attempt_sums,
    cash_sums,
    cohort_sums,
    day_sums,
    money_sums,
)


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


def report(database: Engine, span: Span, *, made_at: datetime, views: Collection[View] = tuple(View)) -> Report:
    """The report over a span, all tables from one snapshot. Raises the database's own errors."""
    snapshot = database.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    tables: list[Table] = []
    with snapshot.begin() as tx:
        cohorts = cohort_sums(tx, span, Cut.MONTH)
        money = money_sums(tx, span, Cut.MONTH)
        for view in (view for view in View if view in views):
            if view is View.COHORT:
                tables.append(cohort_table(view, cohorts, money))
            elif view is View.SOURCE:
                tables.append(source_table(cohorts, money))
            elif view is View.CASH:
                tables.append(cash_table(cash_sums(tx, span)))
            elif view is View.ATTEMPT:
                tables.append(attempt_table(attempt_sums(tx, span)))
            else:
                cut = Cut.REASON if view is View.REASON else Cut.DECLINE_CLASS
                tables.append(cohort_table(view, cohort_sums(tx, span, cut), money_sums(tx, span, cut)))
        days = tuple(day_sums(tx, span))
    return Report(span=span, made_at=made_at, tables=tuple(tables), days=days)
