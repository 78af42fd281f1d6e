"""Puts the report together from one consistent view of the database. Without it two tables of one page could disagree."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine

from recovery.declines.networks import NetworkRules
from recovery.reporting.churn import churn_table
from recovery.reporting.closing import restated
from recovery.reporting.converted import converted_table
from recovery.reporting.figures import (
    attempt_table,
    cash_table,
    cohort_table,
    hour_table,
    restated_table,
    source_table,
)
from recovery.reporting.penalties import penalties, penalties_table
from recovery.reporting.proof import proof_table, uplift_by_count
from recovery.reporting.rates import Rates
from recovery.reporting.renewals import renewals_table
from recovery.reporting.table import Table
from recovery.reporting.views import CUTS, NOT_OF_CASES
from recovery.reporting.views import View as View
from recovery.storage.churn_queries import churn_sums
from recovery.storage.past_queries import invoice_sums
from recovery.storage.proof_queries import arm_sums, levels_of, lot_of
from recovery.storage.report_cohorts import cohort_sums, day_sums, source_sums, try_sums
from recovery.storage.report_queries import cash_sums, prepare
from recovery.storage.report_sums import Cut, DaySum, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The tables asked for over a span. ``made_at`` is the business instant up to which it knows; ``days`` feed the chart."""

    span: Span
    made_at: datetime
    tables: tuple[Table, ...]
    days: tuple[DaySum, ...]


def report(
    database: Engine,
    span: Span,
    *,
    made_at: datetime,
    views: Collection[View] = tuple(View),
    with_days: bool = True,
    rates: Rates | None = None,
    networks: NetworkRules | None = None,
) -> Report:
    """The report over a span, all tables from one snapshot; ``with_days`` for the chart. Raises the database's own errors.

    Without ``rates`` nothing is converted, without ``networks`` no penalty estimated.
    """
    snapshot = database.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with snapshot.begin() as tx:
        prepare(tx)
        asked = _With(rates=rates, networks=networks, made_at=made_at)
        tables = tuple(_whole(table, span) for table in _tables(tx, span, views, asked))
        days = tuple(day_sums(tx, span)) if with_days else ()
    return Report(span=span, made_at=made_at, tables=tables, days=days)


@dataclass(frozen=True, slots=True, kw_only=True)
class _With:
    """What the tables are made with besides the database."""

    rates: Rates | None
    networks: NetworkRules | None
    made_at: datetime


def _whole(table: Table, span: Span) -> Table:
    """The same table; one that no key of cases can narrow but the currency says so."""
    kept = {what.value: key for what, key in span.only}
    if table.name not in NOT_OF_CASES or not kept:
        return table
    currency = kept.pop("currency", None)
    rows = tuple(row for row in table.rows if currency in (None, row.currency))
    words = f" Not narrowed by {', '.join(kept)}: it is not made of cases." if kept else ""
    return replace(table, rows=rows, definition=table.definition + words)


def _tables(tx: Connection, span: Span, views: Collection[View], asked: _With) -> Iterator[Table]:
    cuts = {CUTS[view] for view in views if view in CUTS} | ({Cut.MONTH} if View.SOURCE in views else set())
    cohorts = cohort_sums(tx, span, cuts) if cuts else []
    attempts, hours = try_sums(tx, span) if {View.ATTEMPT, View.HOURS} & set(views) else ([], [])
    cash = cash_sums(tx, span) if {View.CASH, View.CONVERTED} & set(views) else []
    for view in (view for view in View if view in views):
        if view in CUTS:
            yield cohort_table(view, [one for one in cohorts if one.cut is CUTS[view]])
        elif view is View.CASH:
            yield cash_table(cash)
        elif view is View.SOURCE:
            yield source_table([one for one in cohorts if one.cut is Cut.MONTH], source_sums(tx, span))
        elif view is View.ATTEMPT:
            yield attempt_table(attempts)
        elif view is View.HOURS:
            yield hour_table(hours)
        elif view is View.CONVERTED:
            yield converted_table(cash, asked.rates)
        elif view is View.PROOF:
            yield proof_table(
                arm_sums(tx, span, made_at=asked.made_at),
                lot_of(tx, span, made_at=asked.made_at),
                levels_of(tx, span, made_at=asked.made_at),
            )
        elif view is View.PENALTIES:
            yield penalties_table(penalties(tx, span, asked.networks) if asked.networks else [])
        elif view is View.RENEWALS:
            yield renewals_table(invoice_sums(tx, span))
        elif view is View.CHURN:
            sums = churn_sums(tx, span)
            yield churn_table(sums, uplift_by_count(arm_sums(tx, span, made_at=asked.made_at)) if sums else None)
        else:
            yield restated_table(restated(tx, span))
