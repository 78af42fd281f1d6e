"""The sums behind the report, made in the database. Adding them up in Python would be slow, and would meet half-written cases.

Each query adds up within one currency only. A case belongs to the period in which its payment failed (its cohort); a booking belongs
to the day on which it occurred. Money that went back counts only where the charge it came from was counted as recovered.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text

from recovery.cases.lifecycle import CREDITED, OPEN, SPENT
from recovery.storage.report_sums import AttemptSum, CashSum, CohortSum, Cut, DaySum, MoneySum, RecoveredTotal, Span

_DIMENSIONS: Final = {
    Cut.MONTH: "to_char(c.failed_at AT TIME ZONE :zone, 'YYYY-MM')",
    Cut.REASON: "coalesce(f.signals->>'decline_code', f.signals->>'error_code', 'no code')",
    Cut.DECLINE_CLASS: "coalesce(c.verdict->>'decline_class', 'none')",
}

_COHORT: Final = """
cohort AS (
    SELECT c.id, c.currency, c.state, c.source, c.amount_minor, c.failed_at, {dimensions}
    FROM cases c
    LEFT JOIN ledger opened ON opened.case_id = c.id AND opened.kind = 'at_risk' AND opened.ref = c.obligation
    LEFT JOIN foreign_charges f ON f.charge_id = opened.charge_id
    WHERE c.failed_at >= :start AND c.failed_at < :end
)"""
"""The failure that opened a case is the charge on its first booking: later declines do not change a case's reason."""

_RECOVERED: Final = """
paid AS (
    SELECT l.case_id, l.currency, sum(l.amount_minor) AS minor
    FROM ledger l JOIN cohort c ON c.id = l.case_id
    WHERE l.kind = 'recovered' GROUP BY l.case_id, l.currency
)"""

_COHORT_SUMS: Final = """
WITH {cohort}, {recovered}, sized AS (
    SELECT c.*, greatest(c.amount_minor, coalesce(p.minor, 0)) AS minor
    FROM cohort c LEFT JOIN paid p ON p.case_id = c.id AND p.currency = c.currency
)
SELECT {which} AS cut, coalesce({keys}) AS key, currency,
    count(*) AS cases,
    count(*) FILTER (WHERE state = 'recovered') AS recovered_cases,
    count(*) FILTER (WHERE state = 'recovered' AND source = ANY(:credited)) AS credited_cases,
    count(*) FILTER (WHERE state = ANY(:open)) AS open_cases,
    count(*) FILTER (WHERE state = 'lost') AS lost_cases,
    count(*) FILTER (WHERE state = 'withdrawn') AS withdrawn_cases,
    sum(minor) AS at_risk_minor,
    coalesce(sum(minor) FILTER (WHERE state = ANY(:open)), 0) AS open_minor,
    coalesce(sum(minor) FILTER (WHERE state = 'lost'), 0) AS lost_minor,
    coalesce(sum(minor) FILTER (WHERE state = 'withdrawn'), 0) AS withdrawn_minor
FROM sized GROUP BY currency, GROUPING SETS ({sets}) ORDER BY currency, key"""
"""What was at risk is what is owed now, and never less than what was paid of it: part payments lower what is owed."""

_MONEY_SUMS: Final = """
WITH {cohort}, reversal AS (
    SELECT l.case_id, l.charge_id, l.ref,
        greatest(0, coalesce(sum(l.amount_minor) FILTER (WHERE l.kind = 'refunded'), 0)
                  - coalesce(sum(l.amount_minor) FILTER (WHERE l.kind = 'refund_failed'), 0)) AS refunded,
        CASE WHEN bool_or(l.kind = 'dispute_won') THEN 0
             ELSE coalesce(max(l.amount_minor) FILTER (WHERE l.kind = 'dispute_lost'),
                           max(l.amount_minor) FILTER (WHERE l.kind = 'dispute_opened'), 0) END AS disputed
    FROM ledger l JOIN cohort c ON c.id = l.case_id
    WHERE l.kind IN ('refunded', 'refund_failed', 'dispute_opened', 'dispute_won', 'dispute_lost')
    GROUP BY l.case_id, l.charge_id, l.ref
), went_back AS (
    SELECT case_id, charge_id, sum(refunded) AS refunded, sum(disputed) AS disputed
    FROM reversal GROUP BY case_id, charge_id
), brought AS (
    SELECT l.case_id, l.currency, l.source, sum(l.amount_minor) AS recovered,
        coalesce(sum(w.refunded), 0) AS refunded, coalesce(sum(w.disputed), 0) AS disputed
    FROM ledger l
    JOIN cohort c ON c.id = l.case_id
    LEFT JOIN went_back w ON w.case_id = l.case_id AND w.charge_id = l.charge_id
    WHERE l.kind = 'recovered' GROUP BY l.case_id, l.currency, l.source
)
SELECT {which} AS cut, coalesce({keys}) AS key, b.currency, b.source,
    count(*) AS cases,
    sum(b.recovered) AS recovered_minor,
    sum(b.refunded) AS refunded_minor,
    sum(b.disputed) AS disputed_minor
FROM brought b JOIN cohort c ON c.id = b.case_id
GROUP BY b.currency, b.source, GROUPING SETS ({sets}) ORDER BY b.currency, key, b.source"""
"""First by case and source, so that a case with two charges of one source is one case."""

_CASH_SUMS: Final = """
WITH booked AS (
    SELECT l.*, to_char(l.occurred_at AT TIME ZONE :zone, 'YYYY-MM') AS key, c.state,
        l.kind IN ('refunded', 'refund_failed', 'dispute_opened', 'dispute_won', 'dispute_lost') AND NOT EXISTS (
            SELECT 1 FROM ledger r WHERE r.case_id = l.case_id AND r.kind = 'recovered' AND r.charge_id = l.charge_id
        ) AS foreign_money,
        l.kind IN ('dispute_won', 'dispute_lost') AND EXISTS (
            SELECT 1 FROM ledger o WHERE o.case_id = l.case_id AND o.kind = 'dispute_opened' AND o.ref = l.ref
        ) AS was_opened
    FROM ledger l JOIN cases c ON c.id = l.case_id
    WHERE l.occurred_at >= :start AND l.occurred_at < :end AND l.kind = ANY(:kinds)
)
SELECT key, currency,
    count(*) FILTER (WHERE kind = 'at_risk') AS failed_cases,
    coalesce(sum(amount_minor) FILTER (WHERE kind = 'at_risk'), 0) AS at_risk_minor,
    count(DISTINCT case_id) FILTER (WHERE kind = 'recovered') AS recovered_cases,
    coalesce(sum(amount_minor) FILTER (WHERE kind = 'recovered'), 0) AS recovered_minor,
    coalesce(sum(amount_minor) FILTER (WHERE kind = 'recovered' AND source = ANY(:credited)), 0) AS credited_minor,
    coalesce(sum(amount_minor) FILTER (WHERE kind = 'refunded' AND NOT foreign_money), 0)
        - coalesce(sum(amount_minor) FILTER (WHERE kind = 'refund_failed' AND NOT foreign_money), 0) AS refunded_minor,
    coalesce(sum(amount_minor) FILTER (WHERE kind = 'dispute_opened' AND NOT foreign_money), 0)
        + coalesce(sum(amount_minor) FILTER (WHERE kind = 'dispute_lost' AND NOT foreign_money AND NOT was_opened), 0)
        - coalesce(sum(amount_minor) FILTER (WHERE kind = 'dispute_won' AND NOT foreign_money AND was_opened), 0)
        AS disputed_minor,
    coalesce(sum(amount_minor) FILTER (WHERE kind = 'written_off' AND state = 'lost'), 0) AS lost_minor,
    coalesce(sum(amount_minor) FILTER (WHERE kind = 'withdrawn' AND state = 'withdrawn'), 0) AS withdrawn_minor
FROM booked GROUP BY key, currency ORDER BY currency, key"""

_CASH_KINDS: Final = [
    "at_risk",
    "recovered",
    "refunded",
    "refund_failed",
    "dispute_opened",
    "dispute_won",
    "dispute_lost",
    "written_off",
    "withdrawn",
]

_ATTEMPT_SUMS: Final = """
WITH {cohort}
SELECT a.number, a.currency,
    count(*) AS attempts,
    count(*) FILTER (WHERE a.status = 'succeeded') AS succeeded,
    count(*) FILTER (WHERE a.status IN ('in_flight', 'unknown', 'processing')) AS open,
    coalesce(sum(l.amount_minor), 0) AS recovered_minor
FROM cohort c
JOIN attempts a ON a.case_id = c.id AND a.status = ANY(:spent)
LEFT JOIN ledger l ON l.case_id = a.case_id AND l.kind = 'recovered' AND l.ref = a.charge_id
GROUP BY a.number, a.currency ORDER BY a.currency, a.number"""

_DAY_SUMS: Final = """
WITH {cohort}, {recovered}, moved AS (
    SELECT (c.failed_at AT TIME ZONE :zone)::date AS day, c.currency,
        greatest(c.amount_minor, coalesce(p.minor, 0)) AS at_risk, 0 AS credited, 0 AS uncredited
    FROM cohort c LEFT JOIN paid p ON p.case_id = c.id AND p.currency = c.currency
    UNION ALL
    SELECT (l.occurred_at AT TIME ZONE :zone)::date, l.currency, 0,
        CASE WHEN l.source = ANY(:credited) THEN l.amount_minor ELSE 0 END,
        CASE WHEN l.source = ANY(:credited) THEN 0 ELSE l.amount_minor END
    FROM ledger l JOIN cohort c ON c.id = l.case_id WHERE l.kind = 'recovered'
)
SELECT day, currency, sum(at_risk) AS at_risk_minor, sum(credited) AS credited_minor, sum(uncredited) AS uncredited_minor
FROM moved GROUP BY day, currency ORDER BY currency, day"""


def prepare(tx: Connection) -> None:
    """Give the sums of this transaction room to hash in memory: 64 MB instead of the server's default of 4."""
    tx.execute(text("SET LOCAL work_mem = '64MB'"))


def cohort_sums(tx: Connection, span: Span, cuts: Collection[Cut]) -> list[CohortSum]:
    """The cases that failed in the span, divided by each cut, all in one pass."""
    return [CohortSum(**row | {"cut": Cut(row["cut"])}) for row in _rows(tx, _COHORT_SUMS, span, cuts)]


def money_sums(tx: Connection, span: Span, cuts: Collection[Cut]) -> list[MoneySum]:
    """What those cases brought, whenever it came, divided by the same cuts and by source."""
    return [MoneySum(**row | {"cut": Cut(row["cut"])}) for row in _rows(tx, _MONEY_SUMS, span, cuts)]


def cash_sums(tx: Connection, span: Span) -> list[CashSum]:
    """What occurred in the span, by month."""
    return [CashSum(**row) for row in _rows(tx, _CASH_SUMS, span)]


def attempt_sums(tx: Connection, span: Span) -> list[AttemptSum]:
    """The attempts on the cases that failed in the span, by their number."""
    return [AttemptSum(**row) for row in _rows(tx, _ATTEMPT_SUMS, span)]


def day_sums(tx: Connection, span: Span) -> list[DaySum]:
    """The cases that failed in the span and their recoveries, by day."""
    return [DaySum(**row) for row in _rows(tx, _DAY_SUMS, span)]


def recovered_totals(tx: Connection) -> list[RecoveredTotal]:
    """All recovered money by currency and source."""
    query = """SELECT currency, source, sum(amount_minor) AS recovered_minor FROM ledger
               WHERE kind = 'recovered' GROUP BY currency, source ORDER BY currency, source"""
    return [RecoveredTotal(**_whole(row)) for row in tx.execute(text(query)).mappings()]


def _rows(tx: Connection, query: str, span: Span, cuts: Collection[Cut] = ()) -> Iterator[dict[str, Any]]:
    wanted_cuts = [cut for cut in Cut if cut in cuts]
    # A dimension that nobody asks for is not computed, and the planner leaves out the joins it would need.
    dimensions = [f"{_DIMENSIONS[cut] if cut in wanted_cuts else 'NULL::text'} AS {cut.value}" for cut in Cut]
    which = " ".join(f"WHEN grouping({cut.value}) = 0 THEN '{cut.value}'" for cut in wanted_cuts)
    statement = query.format(
        cohort=_COHORT.format(dimensions=", ".join(dimensions)),
        recovered=_RECOVERED,
        which=f"CASE {which} END",
        keys=", ".join(cut.value for cut in wanted_cuts),
        sets=", ".join(f"({cut.value})" for cut in wanted_cuts),
    )
    given = {
        "start": span.start,
        "end": span.end,
        "zone": span.zone,
        "credited": sorted(source.value for source in CREDITED),
        "open": sorted(state.value for state in OPEN),
        "spent": sorted(status.value for status in SPENT),
        "kinds": _CASH_KINDS,
    }
    wanted = {name: value for name, value in given.items() if f":{name}" in statement}
    for row in tx.execute(text(statement), wanted).mappings():
        yield _whole(row)


def _whole(row: RowMapping) -> dict[str, Any]:
    """Sums of the database are exact decimals; as amounts they are whole minor units."""
    return {name: int(value) if name.endswith("_minor") else value for name, value in row.items()}
