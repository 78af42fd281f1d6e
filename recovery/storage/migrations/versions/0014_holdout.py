"""The holdout: how the customer of a case is treated, and the same in its line of figures."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_NO_DECIMALS = "('bif','clp','djf','gnf','jpy','kmf','krw','mga','pyg','rwf','vnd','vuv','xaf','xof','xpf')"
_THREE_DECIMALS = "('bhd','jod','kwd','omr','tnd')"
_ARM = ", coalesce(c.arm, 'not measured') AS arm"
_CREDITED = "('backup_card', 'customer_after_email', 'refreshed_card', 'silent_retry')"

# Everything the report says of one case, from the tables where it is true. 30.4375 days are a mean month.
_LIVE = f"""
CREATE OR REPLACE VIEW case_figures_live AS
SELECT c.id AS case_id, c.failed_at, c.currency, c.state, c.source,
    CASE WHEN c.state = 'recovered' THEN c.ended_at END AS recovered_at,
    c.emails_sent,
    coalesce(f.signals ->> 'decline_code', f.signals ->> 'error_code', 'no code') AS reason,
    coalesce(c.verdict ->> 'decline_class', 'none') AS decline_class,
    coalesce(c.tried_card ->> 'brand', c.card ->> 'brand', 'unknown') AS brand,
    coalesce(c.tried_card ->> 'country', c.card ->> 'country', 'unknown') AS country,
    coalesce(nullif(c.segment, ''), 'none') AS segment,
    CASE WHEN c.subscribed_at IS NULL THEN 'unknown'
         WHEN c.failed_at - c.subscribed_at < interval '91.3125 days' THEN '00 to 3 months'
         WHEN c.failed_at - c.subscribed_at < interval '365.25 days' THEN '03 to 12 months'
         ELSE '12 months and more' END AS tenure,
    CASE WHEN c.subscription IS NULL THEN 'one-off'
         WHEN c.interval IS NULL THEN 'unknown'
         WHEN c.interval_count = 1 THEN c.interval
         ELSE c.interval_count || ' x ' || c.interval END AS contract,
    CASE WHEN s.major < 10 THEN '0000 below 10'
         WHEN s.major < 50 THEN '0010 to 50'
         WHEN s.major < 200 THEN '0050 to 200'
         WHEN s.major < 1000 THEN '0200 to 1000'
         ELSE '1000 and more' END AS amount_band,
    s.minor AS at_risk_minor,
    m.recovered AS recovered_minor, m.credited AS credited_minor, m.refunded AS refunded_minor, m.disputed AS disputed_minor,
    coalesce(k.fee, 0)::bigint AS fee_minor,
    CASE WHEN c.subscription IS NULL THEN 0 ELSE round(s.minor * CASE c.interval
        WHEN 'year' THEN 1 / 12.0 WHEN 'month' THEN 1.0 WHEN 'week' THEN 30.4375 / 7 WHEN 'day' THEN 30.4375 ELSE 0 END
        / c.interval_count) END::bigint AS monthly_minor,
    m.sources, m.source_recovered, m.source_refunded, m.source_disputed,
    t.try_numbers, t.try_slots, t.try_outcomes, t.try_minor{_ARM}
FROM cases c
LEFT JOIN ledger opened ON opened.case_id = c.id AND opened.kind = 'at_risk' AND opened.ref = c.obligation
LEFT JOIN foreign_charges f ON f.charge_id = opened.charge_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(b.recovered), 0)::bigint AS recovered,
        coalesce(sum(b.recovered) FILTER (WHERE b.source IN {_CREDITED}), 0)::bigint AS credited,
        coalesce(sum(b.refunded), 0)::bigint AS refunded,
        coalesce(sum(b.disputed), 0)::bigint AS disputed,
        coalesce(array_agg(b.source ORDER BY b.source), '{{}}') AS sources,
        coalesce(array_agg(b.recovered ORDER BY b.source), '{{}}') AS source_recovered,
        coalesce(array_agg(b.refunded ORDER BY b.source), '{{}}') AS source_refunded,
        coalesce(array_agg(b.disputed ORDER BY b.source), '{{}}') AS source_disputed
    FROM (
        SELECT l.source, sum(l.amount_minor)::bigint AS recovered,
            coalesce(sum(w.refunded), 0)::bigint AS refunded, coalesce(sum(w.disputed), 0)::bigint AS disputed
        FROM ledger l
        LEFT JOIN LATERAL (
            SELECT sum(r.refunded) AS refunded, sum(r.disputed) AS disputed
            FROM (
                SELECT greatest(0, coalesce(sum(x.amount_minor) FILTER (WHERE x.kind = 'refunded'), 0)
                        - coalesce(sum(x.amount_minor) FILTER (WHERE x.kind = 'refund_failed'), 0)) AS refunded,
                    CASE WHEN bool_or(x.kind = 'dispute_won') THEN 0
                         ELSE coalesce(max(x.amount_minor) FILTER (WHERE x.kind = 'dispute_lost'),
                                       max(x.amount_minor) FILTER (WHERE x.kind = 'dispute_opened'), 0) END AS disputed
                FROM ledger x
                WHERE x.case_id = c.id AND x.charge_id = l.charge_id
                  AND x.kind IN ('refunded', 'refund_failed', 'dispute_opened', 'dispute_won', 'dispute_lost')
                GROUP BY x.ref
            ) r
        ) w ON true
        WHERE l.case_id = c.id AND l.kind = 'recovered' AND l.currency = c.currency
        GROUP BY l.source
    ) b
) m
CROSS JOIN LATERAL (
    SELECT greatest(c.amount_minor, m.recovered) AS minor,
        greatest(c.amount_minor, m.recovered) / CASE WHEN c.currency IN {_NO_DECIMALS} THEN 1.0
            WHEN c.currency IN {_THREE_DECIMALS} THEN 1000.0 ELSE 100.0 END AS major
) s
CROSS JOIN LATERAL (
    SELECT sum(CASE l.kind WHEN 'fee' THEN l.amount_minor ELSE -l.amount_minor END) AS fee
    FROM ledger l WHERE l.case_id = c.id AND l.kind IN ('fee', 'fee_returned') AND l.currency = c.currency
) k
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(a.number::smallint ORDER BY a.number), '{{}}') AS try_numbers,
        coalesce(array_agg(((extract(isodow FROM a.started_at AT TIME ZONE coalesce(a.zone, 'UTC')) - 1) * 24
            + extract(hour FROM a.started_at AT TIME ZONE coalesce(a.zone, 'UTC')))::smallint ORDER BY a.number), '{{}}') AS try_slots,
        coalesce(array_agg((CASE WHEN a.status = 'succeeded' THEN 2 WHEN a.status IN ('declined', 'needs_customer') THEN 1
            ELSE 0 END)::smallint ORDER BY a.number), '{{}}') AS try_outcomes,
        coalesce(array_agg(coalesce(l.amount_minor, 0) ORDER BY a.number), '{{}}') AS try_minor
    FROM attempts a
    LEFT JOIN ledger l ON l.case_id = a.case_id AND l.kind = 'recovered' AND l.ref = a.charge_id
    WHERE a.case_id = c.id
      AND a.status IN ('in_flight', 'unknown', 'processing', 'succeeded', 'declined', 'needs_customer')
) t
"""  # noqa: S608 - constants of this file


_NOW = """
CREATE OR REPLACE VIEW case_figures_now AS
SELECT {columns} FROM case_figures f
WHERE NOT EXISTS (SELECT 1 FROM report_stale s WHERE s.case_id = f.case_id)
UNION ALL
SELECT {columns} FROM case_figures_live l WHERE l.case_id IN (SELECT case_id FROM report_stale)
"""
_COLUMNS = (
    "case_id, failed_at, currency, state, source, recovered_at, emails_sent, reason, decline_class, brand, country, segment, "
    "tenure, contract, amount_band, at_risk_minor, recovered_minor, credited_minor, refunded_minor, disputed_minor, fee_minor, "
    "monthly_minor, sources, source_recovered, source_refunded, source_disputed, try_numbers, try_slots, try_outcomes, try_minor, arm"
)


def upgrade() -> None:
    op.add_column("cases", sa.Column("arm", sa.Text(), nullable=True))
    op.execute("ALTER TABLE cases ADD CONSTRAINT ck_cases_arm_known CHECK (arm IN ('engine', 'holdout')) NOT VALID")
    op.execute("ALTER TABLE cases VALIDATE CONSTRAINT ck_cases_arm_known")
    op.add_column("case_figures", sa.Column("arm", sa.Text(), server_default=sa.text("'not measured'"), nullable=False))
    op.execute(_LIVE)
    op.execute(_NOW.format(columns=_COLUMNS))


def downgrade() -> None:
    # A view loses columns only by being made anew.
    op.execute("DROP VIEW case_figures_now")
    op.execute("DROP VIEW case_figures_live")
    op.execute(_LIVE.replace(_ARM, ""))
    op.execute(_NOW.format(columns=_COLUMNS.removesuffix(", arm")))
    op.drop_column("case_figures", "arm")
    op.drop_constraint(op.f("ck_cases_arm_known"), "cases", type_="check")
    op.drop_column("cases", "arm")
