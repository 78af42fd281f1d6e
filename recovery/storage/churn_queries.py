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
    found it. ``failed_customers`` had a renewal fail in the month; ``saved_customers`` and ``saved_minor`` are those of them that the
    engine recovered.
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


_HAD: Final = """
WITH months AS (
    SELECT to_char(m, 'YYYY-MM') AS month, m AT TIME ZONE :zone AS begins, (m + interval '1 month') AT TIME ZONE :zone AS ends
    FROM generate_series(date_trunc('month', CAST(:start AS timestamptz) AT TIME ZONE :zone),
        (CAST(:end AS timestamptz) AT TIME ZONE :zone) - interval '1 day', interval '1 month') m
), first AS (
    SELECT DISTINCT ON (m.month, x.subscription) m.month, x.subscription, x.before_minor
    FROM months m JOIN subscription_changes x ON x.at >= m.begins ORDER BY m.month, x.subscription, x.at
), last AS (
    SELECT DISTINCT ON (m.month, x.subscription) m.month, x.subscription, x.before_minor
    FROM months m JOIN subscription_changes x ON x.at >= m.ends ORDER BY m.month, x.subscription, x.at
), had AS (
    SELECT m.month, s.id, s.contract, s.currency, s.customer, s.started_at, s.ended_at, s.ended_because,
        s.ended_at < m.ends AS ended,
        coalesce(first.before_minor, s.monthly_minor) AS monthly_minor,
        coalesce(last.before_minor, s.monthly_minor) AS later_minor,
        CASE WHEN s.ended_at < m.ends THEN s.ended_because IN ('payment_failed', 'payment_disputed') OR EXISTS (
            SELECT 1 FROM cases c WHERE c.subscription = s.id AND c.failed_at <= s.ended_at
              AND (c.ended_at IS NULL OR c.state = 'lost' OR c.ended_at >= s.ended_at)
              AND s.ended_because IS DISTINCT FROM 'cancellation_requested'
        ) ELSE false END AS involuntary
    FROM months m JOIN subscriptions s ON s.started_at < m.begins AND (s.ended_at IS NULL OR s.ended_at >= m.begins)
    LEFT JOIN first ON first.month = m.month AND first.subscription = s.id
    LEFT JOIN last ON last.month = m.month AND last.subscription = s.id
    WHERE s.started_at < :end
)"""

_CHURN: Final = """{had}, persons AS (
    SELECT month, contract, currency, customer, bool_and(coalesce(ended, false)) AS left_us,
        bool_and(coalesce(ended, false)) AND bool_or(coalesce(ended AND involuntary, false)) AS involuntary
    FROM had GROUP BY month, contract, currency, customer
), counted AS (
    SELECT month, contract, currency, count(*) AS customers, count(*) FILTER (WHERE left_us) AS left_customers,
        count(*) FILTER (WHERE involuntary) AS involuntary_customers
    FROM persons GROUP BY month, contract, currency
), valued AS (
    SELECT month, contract, currency, sum(monthly_minor) AS monthly_minor,
        coalesce(sum(monthly_minor) FILTER (WHERE ended), 0) AS left_minor,
        coalesce(sum(monthly_minor) FILTER (WHERE ended AND involuntary), 0) AS involuntary_minor,
        coalesce(sum(monthly_minor - later_minor) FILTER (WHERE ended IS NOT TRUE AND later_minor < monthly_minor), 0)
            AS contraction_minor,
        coalesce(sum(later_minor - monthly_minor) FILTER (WHERE ended IS NOT TRUE AND later_minor > monthly_minor), 0)
            AS expansion_minor
    FROM had GROUP BY month, contract, currency
), saved AS (
    SELECT m.month, f.contract, f.currency, count(DISTINCT c.customer) AS failed_customers,
        count(DISTINCT c.customer) FILTER (WHERE f.state = 'recovered' AND f.source = ANY(:credited)) AS saved_customers,
        coalesce(sum(f.monthly_minor) FILTER (WHERE f.state = 'recovered' AND f.source = ANY(:credited)), 0) AS saved_minor
    FROM months m JOIN case_figures_now f ON f.failed_at >= m.begins AND f.failed_at < m.ends
    CROSS JOIN LATERAL (SELECT customer FROM cases k WHERE k.id = f.case_id OFFSET 0) c
    WHERE f.contract <> 'one-off' AND f.failed_at >= (SELECT min(begins) FROM months) AND f.failed_at < (SELECT max(ends) FROM months)
    GROUP BY m.month, f.contract, f.currency
)
SELECT c.month, c.contract, c.currency, c.customers, c.left_customers, c.involuntary_customers,
    v.monthly_minor, v.left_minor, v.involuntary_minor, v.contraction_minor, v.expansion_minor,
    coalesce(s.failed_customers, 0) AS failed_customers,
    coalesce(s.saved_customers, 0) AS saved_customers, coalesce(s.saved_minor, 0) AS saved_minor
FROM counted c JOIN valued v USING (month, contract, currency) LEFT JOIN saved s USING (month, contract, currency)
ORDER BY c.currency, c.month, c.contract"""

_LINES: Final = """{had}
SELECT id, customer, currency, monthly_minor, later_minor, started_at, ended_at, ended_because,
    (SELECT c.id FROM cases c WHERE c.subscription = had.id ORDER BY c.failed_at DESC LIMIT 1) AS case_id
FROM had
WHERE contract = :contract AND currency = :currency AND CASE :which
    WHEN 'all' THEN true WHEN 'left' THEN ended WHEN 'voluntary' THEN ended AND involuntary IS NOT TRUE
    WHEN 'involuntary' THEN ended AND involuntary ELSE ended IS NOT TRUE AND later_minor <> monthly_minor END
ORDER BY ended_at DESC NULLS LAST, id LIMIT :limit OFFSET :offset"""


def churn_sums(tx: Connection, span: Span) -> list[ChurnSum]:
    """The months of a span, from the imported subscriptions; none where nothing was imported."""
    credited = sorted(source.value for source in CREDITED)
    given = {"start": span.start, "end": span.end, "zone": span.zone, "credited": credited}
    return [ChurnSum(**whole_minor(row)) for row in tx.execute(text(_CHURN.format(had=_HAD)), given).mappings()]


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
        for row in tx.execute(text(_LINES.format(had=_HAD)), given)
    ]
