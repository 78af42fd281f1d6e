"""Puts the report together from one consistent view of the database. Without it two tables of one page could disagree."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

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
from recovery.reporting.views import BEFORE_THE_LOT, CUTS, NOT_OF_CASES
from recovery.reporting.views import View as View
from recovery.storage.churn_queries import churn_sums
from recovery.storage.past_queries import invoice_sums
from recovery.storage.proof_queries import ArmSum, arm_sums, levels_of, lot_of
from recovery.storage.report_cohorts import cohort_sums, day_sums, source_sums, try_sums
from recovery.storage.report_queries import cash_sums, prepare
from recovery.storage.report_sums import Cut, DaySum, Only, Span


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

    Without ``rates`` nothing is converted; who asks for penalties gives the ``networks``, or a ValueError is raised.
    """
    if networks is None and View.PENALTIES in views:
        raise ValueError("penalties cannot be estimated without the networks' rules")
    snapshot = database.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with snapshot.begin() as tx:
        prepare(tx)
        asked = _With(rates=rates, networks=networks, made_at=made_at)
        tables = tuple(_narrowed(table, span) for table in _tables(tx, span, views, asked))
        days = tuple(day_sums(tx, span)) if with_days else ()
    return Report(span=span, made_at=made_at, tables=tables, days=days)


@dataclass(frozen=True, slots=True, kw_only=True)
class _With:
    """What the tables are made with besides the database."""

    rates: Rates | None
    networks: NetworkRules | None
    made_at: datetime


def _narrowed(table: Table, span: Span) -> Table:
    """The same table, without rows and with a word why where a filter asks for what it cannot tell."""
    allowed = {View.PROOF: BEFORE_THE_LOT} | dict.fromkeys(NOT_OF_CASES, (Only.CURRENCY,))
    reach: tuple[Cut | Only, ...] | None = allowed.get(View(table.name))
    refused = [what.value for what, _ in span.only if reach is not None and what not in reach]
    if refused:
        why = "that is an outcome, or follows from one" if table.name == View.PROOF else "it is not made of cases"
        words = f" Not to be narrowed by {', '.join(refused)}: {why}."
        return replace(table, rows=(), definition=table.definition + words)
    currency = dict(span.only).get(Only.CURRENCY)
    if currency is None or table.name not in NOT_OF_CASES:
        return table
    return replace(table, rows=tuple(row for row in table.rows if row.currency == currency))


def _measured(tx: Connection, span: Span, view: View, asked: _With, arms: Callable[[], list[ArmSum]]) -> Table:
    """The tables that the arms of the holdout are read for."""
    if view is View.CHURN:
        sums = churn_sums(tx, span)
        return churn_table(sums, uplift_by_count(arms()) if sums else None)
    return proof_table(arms(), lot_of(tx, span, made_at=asked.made_at), levels_of(tx, span, made_at=asked.made_at))


def _tables(tx: Connection, span: Span, views: Collection[View], asked: _With) -> Iterator[Table]:
    cuts = {CUTS[view] for view in views if view in CUTS} | ({Cut.MONTH} if View.SOURCE in views else set())
    cohorts = cohort_sums(tx, span, cuts) if cuts else []
    attempts, hours = try_sums(tx, span) if {View.ATTEMPT, View.HOURS} & set(views) else ([], [])
    cash = cash_sums(tx, span) if {View.CASH, View.CONVERTED} & set(views) else []

    @cache
    def arms() -> list[ArmSum]:
        return arm_sums(tx, span, made_at=asked.made_at)

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
        elif view in (View.PROOF, View.CHURN):
            yield _measured(tx, span, view, asked, arms)
        elif view is View.PENALTIES:
            assert asked.networks is not None
            yield penalties_table(penalties(tx, span, asked.networks))
        elif view is View.RENEWALS:
            yield renewals_table(invoice_sums(tx, span))
        else:
            yield restated_table(restated(tx, span))
