"""The sums behind the report, made in the database. Adding them up in Python would be slow, and would meet half-written cases.

Each query adds up within one currency only. A case belongs to the period in which its payment failed (its cohort); a booking belongs
to the day on which it occurred. Money that went back counts only where the charge it came from was counted as recovered.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text

from recovery.cases.lifecycle import CREDITED, OPEN
from recovery.storage.report_lines import KEYS
from recovery.storage.report_months import months_of
from recovery.storage.report_sums import MONEY_KEYS, CashSum, Cut, Only, RecoveredTotal, Span

_NARROW: Final[dict[Cut | Only, str]] = {
    **{cut: f"{key} = {{value}}" for cut, key in KEYS.items()},
    Only.CURRENCY: "currency = {value}",
    Only.STATE: "CASE WHEN {value} = 'open' THEN state = ANY(:open) ELSE state = {value} END",
    Only.SOURCE: "{value} = ANY(sources)",
    Only.ATTEMPT: "{value} = ANY(try_numbers::text[])",
    Only.HOUR: "{value} = ANY(try_slots::text[])",
    Only.MONEY: "CASE {value} "
    + " ".join(f"WHEN '{key}' THEN {key}_minor <> 0" for key in MONEY_KEYS)
    + " ELSE false END",
}
"""The condition that narrows to a key; state may be ``open``, an hour is a number of the week's hours, money a figure above nought."""

_CASH_SUMS: Final = """
WITH simple AS (
    SELECT width_bucket(l.occurred_at, CAST(:months AS timestamptz[])) AS at, l.currency, l.kind, l.source = ANY(:credited) AS credited,
        CASE WHEN l.kind = 'reinstated' THEN right(l.ref, 4) END AS was, count(*) AS entries, sum(l.amount_minor) AS minor
    FROM ledger l
    WHERE l.occurred_at >= :start AND l.occurred_at < :end AND l.kind = ANY(:kinds){narrowed}
    GROUP BY 1, 2, 3, 4, 5
), back AS (
    SELECT width_bucket(l.occurred_at, CAST(:months AS timestamptz[])) AS at, l.currency,
        CASE WHEN l.kind IN ('refunded', 'refund_failed') THEN 'refund' ELSE 'dispute' END AS kind,
        CASE l.kind WHEN 'refund_failed' THEN -l.amount_minor WHEN 'dispute_won' THEN -coalesce(o.amount_minor, 0)
            WHEN 'dispute_lost' THEN l.amount_minor - coalesce(o.amount_minor, 0) ELSE l.amount_minor END AS minor
    FROM ledger l
    JOIN ledger r ON r.case_id = l.case_id AND r.kind = 'recovered' AND r.ref = l.charge_id
    LEFT JOIN ledger o ON o.case_id = l.case_id AND o.kind = 'dispute_opened' AND o.ref = l.ref
    WHERE l.occurred_at >= :start AND l.occurred_at < :end AND l.kind = ANY(:reversals){narrowed}
), payers AS (
    SELECT at, currency, count(*) AS cases
    FROM (SELECT DISTINCT width_bucket(l.occurred_at, CAST(:months AS timestamptz[])) AS at, l.currency, l.case_id FROM ledger l
        WHERE l.occurred_at >= :start AND l.occurred_at < :end AND l.kind = 'recovered'{narrowed}) d
    GROUP BY at, currency
), moved AS (
    SELECT at, currency, kind, credited, was, entries, minor FROM simple
    UNION ALL
    SELECT at, currency, kind, false, NULL, count(*), sum(minor) FROM back GROUP BY at, currency, kind
)
SELECT m.at, m.currency,
    coalesce(sum(entries) FILTER (WHERE kind = 'at_risk'), 0)::bigint AS failed_cases,
    coalesce(sum(minor) FILTER (WHERE kind = 'at_risk'), 0) AS at_risk_minor,
    coalesce(max(p.cases), 0) AS recovered_cases,
    coalesce(sum(minor) FILTER (WHERE kind = 'recovered'), 0) AS recovered_minor,
    coalesce(sum(minor) FILTER (WHERE kind = 'recovered' AND credited), 0) AS credited_minor,
    coalesce(sum(minor) FILTER (WHERE kind = 'refund'), 0) AS refunded_minor,
    coalesce(sum(minor) FILTER (WHERE kind = 'dispute'), 0) AS disputed_minor,
    coalesce(sum(minor) FILTER (WHERE kind = 'fee'), 0)
        - coalesce(sum(minor) FILTER (WHERE kind = 'fee_returned'), 0) AS fee_minor,
    coalesce(sum(minor) FILTER (WHERE kind = 'written_off'), 0)
        - coalesce(sum(minor) FILTER (WHERE kind = 'reinstated' AND was = 'lost'), 0) AS lost_minor,
    coalesce(sum(minor) FILTER (WHERE kind = 'withdrawn'), 0)
        - coalesce(sum(minor) FILTER (WHERE kind = 'reinstated' AND was = 'rawn'), 0) AS withdrawn_minor
FROM moved m LEFT JOIN payers p ON p.at = m.at AND p.currency = m.currency
GROUP BY m.at, m.currency ORDER BY m.currency, m.at"""
"""Only what the ledger says, never how cases stand now: a month that is over changes only by a late booking. ``at`` is a month's place
in ``months``: to ask each entry for its local month takes longer than all the rest.
"""

REVERSALS: Final = ["refunded", "refund_failed", "dispute_opened", "dispute_won", "dispute_lost"]
_CASH_KINDS: Final = ["at_risk", "recovered", "fee", "fee_returned", "written_off", "withdrawn", "reinstated"]

_NARROWED: Final = " AND l.case_id IN (SELECT case_id FROM case_figures_now WHERE true"


def prepare(tx: Connection) -> None:
    """Give the sums of this transaction room to hash in memory: 64 MB instead of the server's default of 4.

    Compiling a query of this size at run time takes longer than reading a month.
    """
    tx.execute(text("SET LOCAL work_mem = '64MB'"))
    tx.execute(text("SET LOCAL hash_mem_multiplier = 8"))  # groups are few, whatever the planner fears
    tx.execute(text("SET LOCAL jit = off"))


def cash_sums(tx: Connection, span: Span) -> list[CashSum]:
    """What occurred in the span, by month."""
    statement = _CASH_SUMS.format(narrowed=narrowed_entries(span))
    months = list(months_of(span))
    rows = _rows(tx, statement, span, [month.begins_at for month in months])
    return [CashSum(key=months[row.pop("at") - 1].name, **row) for row in rows]


def recovered_totals(tx: Connection) -> list[RecoveredTotal]:
    """All recovered money by currency and source."""
    query = """SELECT currency, source, sum(amount_minor) AS recovered_minor FROM ledger
               WHERE kind = 'recovered' GROUP BY currency, source ORDER BY currency, source"""
    return [RecoveredTotal(**whole_minor(row)) for row in tx.execute(text(query)).mappings()]


def narrowing(span: Span, *, but: Only | None = None) -> str:
    """The conditions on a case's line that a span's ``only`` means; their values are parameters only_0, only_1 …"""
    return "".join(
        " AND " + _NARROW[what].format(value=f":only_{number}")
        for number, (what, _) in enumerate(span.only)
        if what is not but
    )


def narrowed_entries(span: Span) -> str:
    """The conditions on a ledger entry ``l``: its own currency, which a fee may have alone, and all else of its case's line."""
    of_case = narrowing(span, but=Only.CURRENCY)
    currencies = [number for number, (what, _) in enumerate(span.only) if what is Only.CURRENCY]
    own = "".join(f" AND l.currency = :only_{number}" for number in currencies)
    return own + (f"{_NARROWED}{of_case})" if of_case else "")


def narrowed_to(span: Span) -> dict[str, Any]:
    """The values of those parameters."""
    keys = {f"only_{number}": key for number, (_, key) in enumerate(span.only)}
    return keys | {"open": sorted(state.value for state in OPEN)}


def _rows(tx: Connection, statement: str, span: Span, months: list[datetime]) -> Iterator[dict[str, Any]]:
    given = {
        "start": span.start,
        "end": span.end,
        "zone": span.zone,
        "months": months,
        "credited": sorted(source.value for source in CREDITED),
        "kinds": _CASH_KINDS,
        "reversals": REVERSALS,
        **narrowed_to(span),
    }
    wanted = {name: value for name, value in given.items() if f":{name}" in statement}
    for row in tx.execute(text(statement), wanted).mappings():
        yield whole_minor(row)


def whole_minor(row: RowMapping) -> dict[str, Any]:
    """Sums of the database are exact decimals; as amounts they are whole minor units."""
    return {name: int(value) if name.endswith("_minor") else value for name, value in row.items()}
