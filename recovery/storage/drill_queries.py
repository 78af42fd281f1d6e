"""What lies behind a figure: its cases, or its ledger entries. Without it finance could read a sum and not check it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from recovery.cases.lifecycle import CREDITED, State
from recovery.money import Money
from recovery.storage.report_queries import REVERSALS, narrowed_entries, narrowed_to, narrowing
from recovery.storage.report_sums import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortLine:
    """One case of a cohort."""

    id: str
    state: State
    source: str | None
    reason: str
    at_risk: Money
    recovered: Money
    failed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    """One ledger entry."""

    id: int
    case_id: str
    kind: str
    ref: str
    charge_id: str | None
    source: str | None
    amount: Money
    occurred_at: datetime
    booked_at: datetime


_CASES: Final = """
SELECT case_id AS id, state, source, reason, at_risk_minor, recovered_minor, currency, failed_at FROM case_figures_now
WHERE failed_at >= :start AND failed_at < :end{only}
ORDER BY failed_at DESC, case_id DESC LIMIT :limit OFFSET :offset"""
_LATE: Final = " AND l.id > (SELECT last_entry FROM closed_months WHERE month = :late_for)"
_OF_FIGURE: Final = {
    "credited_minor": " AND l.source = ANY(:credited)",
    "lost_minor": " AND (l.kind <> 'reinstated' OR right(l.ref, 4) = 'lost')",
    "withdrawn_minor": " AND (l.kind <> 'reinstated' OR right(l.ref, 4) = 'rawn')",
}
"""What a figure counts of its kinds."""
_ENTRIES: Final = """
SELECT id, case_id, kind, ref, charge_id, source, amount_minor, currency, occurred_at, booked_at FROM ledger l
WHERE occurred_at >= :start AND occurred_at < :end AND kind = ANY(:kinds)
    AND (kind <> ALL(:reversals) OR EXISTS (
        SELECT 1 FROM ledger r WHERE r.case_id = l.case_id AND r.kind = 'recovered' AND r.ref = l.charge_id
    )){narrowed}{of_figure}{late}
ORDER BY occurred_at DESC, id DESC LIMIT :limit OFFSET :offset"""


def cohort_cases(tx: Connection, span: Span, *, limit: int, offset: int) -> list[CohortLine]:
    """The cases that failed in a span and have its keys, newest failure first."""
    given = {"start": span.start, "end": span.end, "zone": span.zone, "limit": limit, "offset": offset}
    statement = _CASES.format(only=narrowing(span))
    wanted = {name: value for name, value in (given | narrowed_to(span)).items() if f":{name}" in statement}
    return [
        CohortLine(
            id=row.id,
            state=State(row.state),
            source=row.source,
            reason=row.reason,
            at_risk=Money(minor=row.at_risk_minor, currency=row.currency),
            recovered=Money(minor=row.recovered_minor, currency=row.currency),
            failed_at=row.failed_at,
        )
        for row in tx.execute(text(statement), wanted)
    ]


def cash_entries(
    tx: Connection,
    span: Span,
    figure: str,
    kinds: Collection[str],
    *,
    limit: int,
    offset: int,
    late_for: str | None = None,
) -> list[EntryLine]:
    """The ledger entries of some kinds that a figure by cash date counts in a span, newest first.

    ``late_for``: only those booked after that month's closing.
    """
    statement = _ENTRIES.format(
        narrowed=narrowed_entries(span),
        of_figure=_OF_FIGURE.get(figure, ""),
        late=_LATE if late_for is not None else "",
    )
    given = {
        "start": span.start,
        "end": span.end,
        "zone": span.zone,
        "kinds": sorted(kinds),
        "reversals": REVERSALS,
        "credited": sorted(source.value for source in CREDITED),
        "late_for": late_for,
        "limit": limit,
        "offset": offset,
    }
    wanted = {name: value for name, value in (given | narrowed_to(span)).items() if f":{name}" in statement}
    return [
        EntryLine(
            id=row.id,
            case_id=row.case_id,
            kind=row.kind,
            ref=row.ref,
            charge_id=row.charge_id,
            source=row.source,
            amount=Money(minor=row.amount_minor, currency=row.currency),
            occurred_at=row.occurred_at,
            booked_at=row.booked_at,
        )
        for row in tx.execute(text(statement), wanted)
    ]
