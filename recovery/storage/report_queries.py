"""The sums behind the report, made in the database. Adding them up in Python would be slow, and would meet half-written cases.

Each query adds up within one currency only. A case belongs to the period in which its payment failed (its cohort); a booking belongs
to the day on which it occurred. Money that went back counts only where the charge it came from was counted as recovered.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text

from recovery.cases.lifecycle import CREDITED, OPEN
from recovery.storage.report_sums import (
    AttemptSum,
    CashSum,
    CohortSum,
    Cut,
    DaySum,
    HourSum,
    Only,
    RecoveredTotal,
    SourceSum,
    Span,
)

KEYS: Final = {
    Cut.MONTH: "to_char(failed_at AT TIME ZONE :zone, 'YYYY-MM')",
    Cut.REASON: "reason",
    Cut.DECLINE_CLASS: "decline_class",
    Cut.BRAND: "brand",
    Cut.COUNTRY: "country",
    Cut.SEGMENT: "segment",
    Cut.TENURE: "tenure",
    Cut.CONTRACT: "contract",
    Cut.AMOUNT: "amount_band",
    Cut.EMAILS: "emails_sent::text",
    Cut.ARM: "arm",
    Cut.DAYS: """CASE WHEN recovered_at IS NULL THEN 'not recovered'
        WHEN recovered_at < failed_at + interval '1 day' THEN '00 first day'
        WHEN recovered_at < failed_at + interval '3 days' THEN '01 to 3 days'
        WHEN recovered_at < failed_at + interval '7 days' THEN '03 to 7 days'
        WHEN recovered_at < failed_at + interval '14 days' THEN '07 to 14 days'
        WHEN recovered_at < failed_at + interval '30 days' THEN '14 to 30 days'
        ELSE '30 days and more' END""",
}
"""How each key is worked out of a case's line of figures."""

_NARROW: Final[dict[Cut | Only, str]] = {
    **{cut: f"{key} = {{value}}" for cut, key in KEYS.items()},
    Only.CURRENCY: "currency = {value}",
    Only.STATE: "CASE WHEN {value} = 'open' THEN state = ANY(:open) ELSE state = {value} END",
    Only.SOURCE: "{value} = ANY(sources)",
    Only.ATTEMPT: "{value} = ANY(try_numbers::text[])",
    Only.HOUR: "{value} = ANY(try_slots::text[])",
}
"""The condition that narrows to a key; state may be ``open``, an hour is a number of the week's hours."""

_COHORT: Final = "cohort AS (SELECT * FROM case_figures_now WHERE failed_at >= :start AND failed_at < :end{only})"

_COHORT_SUMS: Final = """
WITH {cohort}, keyed AS (SELECT *, {dimensions} FROM cohort)
SELECT {which} AS cut, coalesce({keys}) AS key, currency,
    count(*) AS cases,
    count(*) FILTER (WHERE state = 'recovered') AS recovered_cases,
    count(*) FILTER (WHERE state = 'recovered' AND source = ANY(:credited)) AS credited_cases,
    count(*) FILTER (WHERE state = 'recovered' AND source = ANY(:credited) AND emails_sent = 0) AS unwritten_cases,
    count(*) FILTER (WHERE state = ANY(:open)) AS open_cases,
    count(*) FILTER (WHERE state = 'lost') AS lost_cases,
    count(*) FILTER (WHERE state = 'withdrawn') AS withdrawn_cases,
    coalesce(sum(extract(epoch FROM recovered_at - failed_at)), 0)::bigint AS recovery_seconds,
    sum(at_risk_minor) AS at_risk_minor,
    sum(recovered_minor) AS recovered_minor,
    sum(credited_minor) AS credited_minor,
    sum(refunded_minor) AS refunded_minor,
    sum(disputed_minor) AS disputed_minor,
    sum(fee_minor) AS fee_minor,
    coalesce(sum(monthly_minor) FILTER (WHERE state = 'recovered'), 0) AS monthly_minor,
    coalesce(sum(recovered_minor) FILTER (WHERE contract = 'one-off'), 0) AS one_off_minor,
    coalesce(sum(at_risk_minor) FILTER (WHERE state = ANY(:open)), 0) AS open_minor,
    coalesce(sum(at_risk_minor) FILTER (WHERE state = 'lost'), 0) AS lost_minor,
    coalesce(sum(at_risk_minor) FILTER (WHERE state = 'withdrawn'), 0) AS withdrawn_minor
FROM keyed GROUP BY currency, GROUPING SETS ({sets}) ORDER BY currency, key"""

_SOURCE_SUMS: Final = """
WITH {cohort}
SELECT currency, s.source, count(*) AS cases,
    sum(s.recovered) AS recovered_minor, sum(s.refunded) AS refunded_minor, sum(s.disputed) AS disputed_minor
FROM cohort c,
    unnest(c.sources, c.source_recovered, c.source_refunded, c.source_disputed) AS s (source, recovered, refunded, disputed)
GROUP BY currency, s.source ORDER BY currency, s.source"""

_TRY_SUMS: Final = """
WITH {cohort}
SELECT t.number, t.slot, currency, count(*) AS attempts,
    count(*) FILTER (WHERE t.outcome = 2) AS succeeded,
    count(*) FILTER (WHERE t.outcome = 0) AS open,
    sum(t.minor) AS recovered_minor
FROM cohort c, unnest(c.try_numbers, c.try_slots, c.try_outcomes, c.try_minor) AS t (number, slot, outcome, minor)
GROUP BY currency, GROUPING SETS ((t.number), (t.slot)) ORDER BY currency, t.number, t.slot"""

_CASH_SUMS: Final = """
WITH booked AS MATERIALIZED (
    SELECT to_char(l.occurred_at AT TIME ZONE :zone, 'YYYY-MM') AS key, l.currency, l.kind, l.amount_minor, l.source, l.ref,
        l.case_id, l.charge_id
    FROM ledger l
    WHERE l.occurred_at >= :start AND l.occurred_at < :end AND l.kind = ANY(:kinds) AND l.id <= :last_entry{narrowed}
), moved AS (
    SELECT key, currency, kind, amount_minor AS minor, source, ref FROM booked WHERE NOT (kind = ANY(:reversals))
    UNION ALL
    SELECT b.key, b.currency, CASE WHEN b.kind IN ('refunded', 'refund_failed') THEN 'refund' ELSE 'dispute' END,
        b.amount_minor * CASE b.kind WHEN 'refunded' THEN 1 WHEN 'refund_failed' THEN -1 WHEN 'dispute_opened' THEN 1
            WHEN 'dispute_lost' THEN CASE WHEN o.id IS NULL THEN 1 ELSE 0 END
            ELSE CASE WHEN o.id IS NULL THEN 0 ELSE -1 END END, NULL, b.ref
    FROM booked b
    JOIN ledger r ON r.case_id = b.case_id AND r.kind = 'recovered' AND r.ref = b.charge_id
    LEFT JOIN ledger o ON o.case_id = b.case_id AND o.kind = 'dispute_opened' AND o.ref = b.ref
    WHERE b.kind = ANY(:reversals)
), payers AS (
    SELECT key, currency, count(*) AS cases
    FROM (SELECT DISTINCT key, currency, case_id FROM booked WHERE kind = 'recovered') d GROUP BY key, currency
)
SELECT m.key, m.currency,
    count(*) FILTER (WHERE kind = 'at_risk') AS failed_cases,
    coalesce(sum(minor) FILTER (WHERE kind = 'at_risk'), 0) AS at_risk_minor,
    coalesce(max(p.cases), 0) AS recovered_cases,
    coalesce(sum(minor) FILTER (WHERE kind = 'recovered'), 0) AS recovered_minor,
    coalesce(sum(minor) FILTER (WHERE kind = 'recovered' AND source = ANY(:credited)), 0) AS credited_minor,
    coalesce(sum(minor) FILTER (WHERE kind = 'refund'), 0) AS refunded_minor,
    coalesce(sum(minor) FILTER (WHERE kind = 'dispute'), 0) AS disputed_minor,
    coalesce(sum(minor) FILTER (WHERE kind = 'fee'), 0)
        - coalesce(sum(minor) FILTER (WHERE kind = 'fee_returned'), 0) AS fee_minor,
    coalesce(sum(minor) FILTER (WHERE kind = 'written_off'), 0)
        - coalesce(sum(minor) FILTER (WHERE kind = 'reinstated' AND right(ref, 4) = 'lost'), 0) AS lost_minor,
    coalesce(sum(minor) FILTER (WHERE kind = 'withdrawn'), 0)
        - coalesce(sum(minor) FILTER (WHERE kind = 'reinstated' AND right(ref, 9) = 'withdrawn'), 0) AS withdrawn_minor
FROM moved m LEFT JOIN payers p ON p.key = m.key AND p.currency = m.currency
GROUP BY m.key, m.currency ORDER BY m.currency, m.key"""
"""Only what the ledger says, never how cases stand now: a month that is over changes only by a late booking."""

_REVERSALS: Final = ["refunded", "refund_failed", "dispute_opened", "dispute_won", "dispute_lost"]
_CASH_KINDS: Final = [
    "at_risk",
    "recovered",
    "fee",
    "fee_returned",
    "written_off",
    "withdrawn",
    "reinstated",
    *_REVERSALS,
]

_DAY_SUMS: Final = """
WITH {cohort}, moved AS (
    SELECT (failed_at AT TIME ZONE :zone)::date AS day, currency, at_risk_minor AS at_risk, 0 AS credited, 0 AS uncredited
    FROM cohort
    UNION ALL
    SELECT (l.occurred_at AT TIME ZONE :zone)::date, l.currency, 0,
        CASE WHEN l.source = ANY(:credited) THEN l.amount_minor ELSE 0 END,
        CASE WHEN l.source = ANY(:credited) THEN 0 ELSE l.amount_minor END
    FROM cohort c CROSS JOIN LATERAL (
        SELECT * FROM ledger l WHERE l.case_id = c.case_id AND l.kind = 'recovered' OFFSET 0
    ) l
    WHERE c.recovered_minor > 0
)
SELECT day, currency, sum(at_risk) AS at_risk_minor, sum(credited) AS credited_minor, sum(uncredited) AS uncredited_minor
FROM moved GROUP BY day, currency ORDER BY currency, day"""
"""OFFSET 0 keeps the lookups by case: the planner would rather read the whole ledger."""

_NARROWED: Final = " AND l.case_id IN (SELECT case_id FROM case_figures_now WHERE true"
_LAST: Final = 2**63 - 1


def prepare(tx: Connection) -> None:
    """Give the sums of this transaction room to hash in memory: 64 MB instead of the server's default of 4.

    Compiling a query of this size at run time takes longer than reading a month.
    """
    tx.execute(text("SET LOCAL work_mem = '64MB'"))
    tx.execute(text("SET LOCAL jit = off"))


def cohort_sums(tx: Connection, span: Span, cuts: Collection[Cut]) -> list[CohortSum]:
    """The cases that failed in the span, divided by each cut, all in one pass."""
    wanted = [cut for cut in Cut if cut in cuts]
    # Columns of the line itself bear the names of some cuts already.
    names = {cut: f"by_{cut.value}" for cut in wanted}
    which = " ".join(f"WHEN grouping({name}) = 0 THEN '{cut.value}'" for cut, name in names.items())
    statement = _COHORT_SUMS.format(
        cohort=_cohort(span),
        dimensions=", ".join(f"{KEYS[cut]} AS {name}" for cut, name in names.items()),
        which=f"CASE {which} END",
        keys=", ".join(names.values()),
        sets=", ".join(f"({name})" for name in names.values()),
    )
    return [CohortSum(**row | {"cut": Cut(row["cut"])}) for row in _rows(tx, statement, span)]


def source_sums(tx: Connection, span: Span) -> list[SourceSum]:
    """What those cases brought, whenever it came, by source."""
    return [SourceSum(**row) for row in _rows(tx, _SOURCE_SUMS.format(cohort=_cohort(span)), span)]


def cash_sums(tx: Connection, span: Span, *, last_entry: int = _LAST) -> list[CashSum]:
    """What occurred in the span, by month; as the ledger was up to an entry."""
    narrowed = _NARROWED + narrowing(span) + ")" if span.only else ""
    return [CashSum(**row) for row in _rows(tx, _CASH_SUMS.format(narrowed=narrowed), span, last_entry=last_entry)]


def try_sums(tx: Connection, span: Span) -> tuple[list[AttemptSum], list[HourSum]]:
    """The attempts on the cases that failed in the span, by their number and by the hour of the issuer's week."""
    attempts, hours = [], []
    for row in _rows(tx, _TRY_SUMS.format(cohort=_cohort(span)), span):
        number, slot = row.pop("number"), row.pop("slot")
        if number is not None:
            attempts.append(AttemptSum(number=number, **row))
        else:
            hours.append(HourSum(slot=slot, **row))
    return attempts, hours


def day_sums(tx: Connection, span: Span) -> list[DaySum]:
    """The cases that failed in the span and their recoveries, by day."""
    return [DaySum(**row) for row in _rows(tx, _DAY_SUMS.format(cohort=_cohort(span)), span)]


def recovered_totals(tx: Connection) -> list[RecoveredTotal]:
    """All recovered money by currency and source."""
    query = """SELECT currency, source, sum(amount_minor) AS recovered_minor FROM ledger
               WHERE kind = 'recovered' GROUP BY currency, source ORDER BY currency, source"""
    return [RecoveredTotal(**whole_minor(row)) for row in tx.execute(text(query)).mappings()]


def narrowing(span: Span) -> str:
    """The conditions on a case's line that a span's ``only`` means; their values are parameters only_0, only_1 …"""
    return "".join(
        " AND " + _NARROW[what].format(value=f":only_{number}") for number, (what, _) in enumerate(span.only)
    )


def narrowed_to(span: Span) -> dict[str, Any]:
    """The values of those parameters."""
    keys = {f"only_{number}": key for number, (_, key) in enumerate(span.only)}
    return keys | {"open": sorted(state.value for state in OPEN)}


def _cohort(span: Span) -> str:
    return _COHORT.format(only=narrowing(span))


def _rows(tx: Connection, statement: str, span: Span, **others: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - SQL parameters
    given = {
        "start": span.start,
        "end": span.end,
        "zone": span.zone,
        "credited": sorted(source.value for source in CREDITED),
        "kinds": _CASH_KINDS,
        "reversals": _REVERSALS,
        **narrowed_to(span),
        **others,
    }
    wanted = {name: value for name, value in given.items() if f":{name}" in statement}
    for row in tx.execute(text(statement), wanted).mappings():
        yield whole_minor(row)


def whole_minor(row: RowMapping) -> dict[str, Any]:
    """Sums of the database are exact decimals; as amounts they are whole minor units."""
    return {name: int(value) if name.endswith("_minor") else value for name, value in row.items()}
