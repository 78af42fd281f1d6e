"""Who left and why, added up in the database. Without it churn would be counted from cases alone, which have no denominator."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, text

from recovery.cases.lifecycle import CREDITED
from recovery.money import Money
from recovery.storage.report_queries import whole_minor
from recovery.storage.report_sums import Span


class Which(StrEnum):
    """The subscriptions behind a figure of churn; of those with several the customer may have another one still."""

    ALL = "all"
    LEFT = "left"
    VOLUNTARY = "voluntary"
    INVOLUNTARY = "involuntary"
    CHANGED = "changed"
    NET = "net"
    NET_VOLUNTARY = "net_voluntary"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChurnLine:
    """One subscription behind a figure, with its price as the month began and ended, and its newest case."""

    id: str
    customer: str
    before: Money
    after: Money
    started_at: datetime
    ended_at: datetime | None
    ended_because: str | None
    case_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChurnSum:
    """One month of the subscriptions of one contract and currency.

    ``monthly_minor`` is as the month began, ``contraction_minor`` and ``expansion_minor`` what prices changed within it, as imports
    found it. ``failed_customers`` had a renewal fail in the month and are not in the holdout; ``saved_customers`` and
    ``saved_minor`` are those whom the engine recovered.
    """

    month: str
    contract: str
    currency: str
    customers: int
    left_customers: int
    involuntary_customers: int
    monthly_minor: int
    left_minor: int
    involuntary_minor: int
    contraction_minor: int
    expansion_minor: int
    failed_customers: int
    saved_customers: int
    saved_minor: int


_INVOLUNTARY: Final = """s.ended_because IN ('payment_failed', 'payment_disputed') OR EXISTS (
    SELECT 1 FROM cases c WHERE c.subscription = s.id AND c.failed_at <= s.ended_at
      AND (c.ended_at IS NULL OR c.state = 'lost' OR c.ended_at >= s.ended_at)
      AND s.ended_because IS DISTINCT FROM 'cancellation_requested'
)"""
_MONTHS: Final = """
WITH months AS (
    SELECT to_char(m, 'YYYY-MM') AS month, row_number() OVER (ORDER BY m) AS n,
        m AT TIME ZONE :zone AS begins, (m + interval '1 month') AT TIME ZONE :zone AS ends
    FROM generate_series(date_trunc('month', CAST(:start AS timestamptz) AT TIME ZONE :zone),
        (CAST(:end AS timestamptz) AT TIME ZONE :zone) - interval '1 day', interval '1 month') m
), changed AS (
    SELECT DISTINCT subscription FROM subscription_changes WHERE at >= (SELECT min(begins) FROM months)
)"""
_HAD: Final = f"""{_MONTHS}, first AS (
    SELECT DISTINCT ON (m.month, x.subscription) m.month, x.subscription, x.before_minor
    FROM months m JOIN subscription_changes x ON x.at >= m.begins ORDER BY m.month, x.subscription, x.at
), last AS (
    SELECT DISTINCT ON (m.month, x.subscription) m.month, x.subscription, x.before_minor
    FROM months m JOIN subscription_changes x ON x.at >= m.ends ORDER BY m.month, x.subscription, x.at
), had AS (
    SELECT m.month, m.ends, s.id, s.contract, s.currency, s.customer, s.started_at, s.ended_at, s.ended_because, s.several,
        coalesce(s.ended_at < m.ends, false) AS ended,
        coalesce(first.before_minor, s.monthly_minor) AS monthly_minor,
        coalesce(last.before_minor, s.monthly_minor) AS later_minor,
        CASE WHEN s.ended_at < m.ends THEN coalesce({_INVOLUNTARY}, false) ELSE false END AS involuntary
    FROM months m JOIN subscriptions s ON s.started_at < m.begins AND (s.ended_at IS NULL OR s.ended_at >= m.begins)
    LEFT JOIN first ON first.month = m.month AND first.subscription = s.id
    LEFT JOIN last ON last.month = m.month AND last.subscription = s.id
    WHERE s.started_at < :end{{some}}
)"""  # noqa: S608 - our own words
"""Each month with each subscription that was there when it began, at the prices of its begin and end."""

_SUMS: Final = ", ".join(
    f"sum(p.{name})::bigint AS {name}"
    for name in ChurnSum.__dataclass_fields__
    if name not in ("month", "contract", "currency", "failed_customers", "saved_customers", "saved_minor")
)
_SOME: Final = _HAD.format(
    some=" AND s.id IN (SELECT id FROM subscriptions WHERE several UNION ALL SELECT subscription FROM changed)"
)
_COUNTED: Final = f""", one AS MATERIALIZED (
    SELECT s.contract, s.currency, s.monthly_minor, width_bucket(s.started_at, b.begins) AS started_in,
        coalesce(width_bucket(s.ended_at, b.begins || b.until), b.after) AS ended_in,
        CASE WHEN s.ended_at < b.until THEN coalesce({_INVOLUNTARY}, false) ELSE false END AS involuntary,
        s.several, x.subscription IS NOT NULL AS changed
    FROM subscriptions s
    CROSS JOIN (
        SELECT array_agg(begins ORDER BY n) AS begins, max(ends) AS until, max(n)::int + 1 AS after FROM months
    ) b
    LEFT JOIN changed x ON x.subscription = s.id
    WHERE s.started_at < :end AND (s.ended_at IS NULL OR s.ended_at >= b.begins[1])
), spans AS (
    SELECT contract, currency, started_in, ended_in, involuntary, count(*) FILTER (WHERE NOT several) AS customers,
        coalesce(sum(monthly_minor) FILTER (WHERE NOT changed), 0) AS monthly_minor
    FROM one GROUP BY contract, currency, started_in, ended_in, involuntary
), parts AS (
    SELECT m.month, g.contract, g.currency, g.customers, g.monthly_minor,
        CASE WHEN g.ended_in = m.n THEN g.customers ELSE 0 END AS left_customers,
        CASE WHEN g.ended_in = m.n AND g.involuntary THEN g.customers ELSE 0 END AS involuntary_customers,
        CASE WHEN g.ended_in = m.n THEN g.monthly_minor ELSE 0 END AS left_minor,
        CASE WHEN g.ended_in = m.n AND g.involuntary THEN g.monthly_minor ELSE 0 END AS involuntary_minor,
        0 AS contraction_minor, 0 AS expansion_minor
    FROM months m JOIN spans g ON g.started_in < m.n AND g.ended_in >= m.n
    UNION ALL
    SELECT month, contract, currency, 1, 0, gone::int, (gone AND involuntary)::int, 0, 0, 0, 0
    FROM (
        SELECT month, contract, currency, bool_or(involuntary) AS involuntary, bool_and(ended) AND NOT EXISTS (
            SELECT 1 FROM subscriptions o WHERE o.customer = had.customer AND o.currency = had.currency
                AND o.started_at < min(had.ends) AND (o.ended_at IS NULL OR o.ended_at >= min(had.ends))
        ) AS gone
        FROM had WHERE several GROUP BY month, contract, currency, customer
    ) persons
    UNION ALL
    SELECT month, contract, currency, 0, monthly_minor, 0, 0, CASE WHEN ended THEN monthly_minor ELSE 0 END,
        CASE WHEN involuntary THEN monthly_minor ELSE 0 END,
        CASE WHEN ended THEN 0 ELSE greatest(0, monthly_minor - later_minor) END,
        CASE WHEN ended THEN 0 ELSE greatest(0, later_minor - monthly_minor) END
    FROM had WHERE id IN (SELECT subscription FROM changed)
), failed AS (
    SELECT m.month, f.contract, f.currency, c.customer,
        bool_or(f.state = 'recovered' AND coalesce(f.source = ANY(:credited), false)) AS saved,
        bool_and(f.arm <> 'holdout') AS treated,
        coalesce(sum(f.monthly_minor) FILTER (WHERE f.state = 'recovered' AND f.source = ANY(:credited)), 0) AS saved_minor
    FROM months m JOIN case_figures_now f ON f.failed_at >= m.begins AND f.failed_at < m.ends
    JOIN cases c ON c.id = f.case_id
    WHERE f.contract <> 'one-off' AND f.failed_at >= (SELECT min(begins) FROM months) AND f.failed_at < (SELECT max(ends) FROM months)
        AND c.failed_at >= (SELECT min(begins) FROM months) AND c.failed_at < (SELECT max(ends) FROM months)
    GROUP BY m.month, f.contract, f.currency, c.customer
), saved AS (
    SELECT month, contract, currency, count(*) FILTER (WHERE treated) AS failed_customers,
        count(*) FILTER (WHERE saved) AS saved_customers, sum(saved_minor) AS saved_minor
    FROM failed GROUP BY month, contract, currency
)
SELECT p.month, p.contract, p.currency,
    {_SUMS},
    coalesce(max(s.failed_customers), 0) AS failed_customers,
    coalesce(max(s.saved_customers), 0) AS saved_customers, coalesce(max(s.saved_minor), 0) AS saved_minor
FROM parts p LEFT JOIN saved s USING (month, contract, currency)
GROUP BY p.month, p.contract, p.currency HAVING sum(p.customers) > 0
ORDER BY p.currency, p.month, p.contract"""  # noqa: S608
"""Subscriptions are counted once each, by the months in which they began and ended. Month by month only where a customer has several
of one currency, or the price changed: a year of a million subscriptions would be twelve million lines."""

_LINES: Final = f"""{_HAD.format(some="")}
SELECT id, customer, currency, monthly_minor, later_minor, started_at, ended_at, ended_because,
    (SELECT c.id FROM cases c WHERE c.subscription = had.id ORDER BY c.failed_at DESC LIMIT 1) AS case_id
FROM had
WHERE contract = :contract AND currency = :currency AND CASE :which
    WHEN 'all' THEN true WHEN 'left' THEN ended WHEN 'voluntary' THEN ended AND involuntary IS NOT TRUE
    WHEN 'involuntary' THEN ended AND involuntary WHEN 'net' THEN ended IS TRUE OR later_minor <> monthly_minor
    WHEN 'net_voluntary' THEN ended AND involuntary IS NOT TRUE OR ended IS NOT TRUE AND later_minor <> monthly_minor
    ELSE ended IS NOT TRUE AND later_minor <> monthly_minor END
ORDER BY ended_at DESC NULLS LAST, id LIMIT :limit OFFSET :offset"""  # noqa: S608


def churn_sums(tx: Connection, span: Span) -> list[ChurnSum]:
    """The months of a span, from the imported subscriptions; none where nothing was imported."""
    credited = sorted(source.value for source in CREDITED)
    given = {"start": span.start, "end": span.end, "zone": span.zone, "credited": credited}
    return [ChurnSum(**whole_minor(row)) for row in tx.execute(text(_SOME + _COUNTED), given).mappings()]


def churn_lines(
    tx: Connection, span: Span, which: Which, *, contract: str, currency: str, limit: int, offset: int
) -> list[ChurnLine]:
    """The subscriptions behind a figure of a month, those that ended last first."""
    given = {"start": span.start, "end": span.end, "zone": span.zone, "which": which.value, "contract": contract}
    given |= {"currency": currency, "limit": limit, "offset": offset}
    return [
        ChurnLine(
            id=row.id,
            customer=row.customer,
            before=Money(minor=row.monthly_minor, currency=row.currency),
            after=Money(minor=row.later_minor, currency=row.currency),
            started_at=row.started_at,
            ended_at=row.ended_at,
            ended_because=row.ended_because,
            case_id=row.case_id,
        )
        for row in tx.execute(text(_LINES), given)
    ]
