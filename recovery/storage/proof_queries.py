"""What the arms of the holdout brought, added up in the database. Without it the engine's worth would be a comparison with nothing.

The lot falls on customers, so sums are made by customer first: cases of one customer are no independent proof. Each case has the
same time to be recovered; one that failed too recently is not in yet, or the arm that tries sooner would look better.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, TextClause, text

from recovery.cases.holdout import Arm
from recovery.storage.report_queries import narrowed_to, narrowing
from recovery.storage.report_sums import Span

WITHIN: Final = timedelta(days=30)
"""How long after its failure a payment counts as recovered here: a silent horizon of three weeks and the letters' first days."""

ALL: Final = ""
"""The currency of sums over all currencies, which have no money in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSum:
    """One arm in one currency, or in ALL: customers, cases and money, with the sums of squares and products by customer."""

    arm: Arm
    currency: str
    customers: int
    cases: int
    won: int
    cases_squared: int
    won_squared: int
    cases_won: int
    at_risk: int
    money: int
    at_risk_squared: int
    money_squared: int
    at_risk_money: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """How many customers were drawn into the holdout, how many were to be expected, and the variance of that."""

    customers: int
    drawn: int
    expected: float
    variance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How many customers of each arm have a property that was there before the lot, such as the reason of the failure."""

    kind: str
    level: str
    engine: int
    holdout: int


_MEASURED: Final = """
WITH measured AS MATERIALIZED (
    SELECT c.customer, f.*, f.recovered_at < f.failed_at + :within AS won
    FROM (
        SELECT * FROM case_figures_now WHERE arm <> 'not measured' AND failed_at < :end AND failed_at <= :ripe{only}
    ) f JOIN cases c ON c.id = f.case_id
), """

_ARMS: Final = """{measured}persons AS (
    SELECT arm, coalesce(currency, '') AS currency, customer, count(*) AS cases, count(*) FILTER (WHERE won) AS won,
        sum(at_risk_minor) AS at_risk, coalesce(sum(recovered_minor) FILTER (WHERE won), 0) AS money
    FROM measured GROUP BY GROUPING SETS ((arm, customer, currency), (arm, customer))
)
SELECT arm, currency, count(*) AS customers, sum(cases) AS cases, sum(won) AS won, sum(cases * cases) AS cases_squared,
    sum(won * won) AS won_squared, sum(cases * won) AS cases_won, sum(at_risk) AS at_risk, sum(money) AS money,
    sum(at_risk * at_risk) AS at_risk_squared, sum(money * money) AS money_squared, sum(at_risk * money) AS at_risk_money
FROM persons GROUP BY arm, currency ORDER BY currency, arm"""

_LOT: Final = """{measured}first AS (
    SELECT DISTINCT ON (c.customer) c.customer, c.arm, (p.content -> 'holdout' ->> 'share')::float AS share
    FROM cases c JOIN policies p ON p.version = c.policy
    WHERE c.arm IS NOT NULL AND c.customer IN (SELECT customer FROM measured)
    ORDER BY c.customer, c.opened_at, c.id
)
SELECT count(*) AS customers, count(*) FILTER (WHERE arm = 'holdout') AS drawn, coalesce(sum(share), 0) AS expected,
    coalesce(sum(share * (1 - share)), 0) AS variance
FROM first"""

_LEVELS: Final = """{measured}first AS (
    SELECT DISTINCT ON (customer) arm, currency, reason, tenure, contract, amount_band FROM measured
    ORDER BY customer, failed_at, case_id
)
SELECT k.kind, k.level, count(*) FILTER (WHERE arm = 'engine') AS engine, count(*) FILTER (WHERE arm = 'holdout') AS holdout
FROM first, LATERAL (VALUES ('currency', currency), ('reason', reason), ('tenure', tenure), ('contract', contract),
    ('amount', amount_band)) AS k (kind, level)
GROUP BY k.kind, k.level ORDER BY k.kind, k.level"""


def arm_sums(tx: Connection, span: Span, *, made_at: datetime) -> list[ArmSum]:
    """The measured cases that failed before the span ends and at least WITHIN before ``made_at``, by currency and over all."""
    rows = tx.execute(_query(_ARMS, span), _given(span, made_at)).mappings()
    return [ArmSum(**{name: _whole(name, value) for name, value in row.items()}) for row in rows]


def lot_of(tx: Connection, span: Span, *, made_at: datetime) -> Lot:
    """How the lot fell on the same customers, by the share in the policy that each one's first measured case was opened with."""
    return Lot(**tx.execute(_query(_LOT, span), _given(span, made_at)).mappings().one())


def levels_of(tx: Connection, span: Span, *, made_at: datetime) -> list[Level]:
    """The same customers by what was there before the lot, each with the first case."""
    rows = tx.execute(_query(_LEVELS, span), _given(span, made_at)).mappings()
    return [Level(**row) for row in rows]


def _query(statement: str, span: Span) -> TextClause:
    return text(statement.format(measured=_MEASURED.format(only=narrowing(span))))


def _given(span: Span, made_at: datetime) -> dict[str, Any]:
    given = {"end": span.end, "ripe": made_at - WITHIN, "within": WITHIN, "zone": span.zone, **narrowed_to(span)}
    used = f"{_MEASURED}{narrowing(span)}"
    return {name: value for name, value in given.items() if f":{name}" in used}


def _whole(name: str, value: Any) -> Any:  # noqa: ANN401 - one row
    return value if name == "currency" else Arm(value) if name == "arm" else int(value)
