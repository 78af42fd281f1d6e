"""The holdout: how the customer of a case is treated; lines of figures know it and their payments, and are added up by month."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_VERSIONS = "recovery.storage.migrations.versions"
_BEFORE: str = import_module(f"{_VERSIONS}.0012_forgotten")._AFTER
_CREDITED: str = import_module(f"{_VERSIONS}.0007_report")._CREDITED
_PAID = """CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(l.occurred_at ORDER BY l.id), '{}') AS paid_at,
        coalesce(array_agg(l.amount_minor ORDER BY l.id), '{}') AS paid_minor,
        coalesce(array_agg(coalesce(l.source IN CREDITED, false) ORDER BY l.id), '{}') AS paid_credited
    FROM ledger l WHERE l.case_id = c.id AND l.kind = 'recovered' AND l.currency = c.currency
) p
"""
_TRIES = "t.try_numbers, t.try_slots, t.try_outcomes, t.try_minor"
_FURTHER = "coalesce(c.arm, 'not measured') AS arm, p.paid_at, p.paid_minor, p.paid_credited"
_AFTER = _BEFORE.replace(f"{_TRIES}\nFROM", f"{_TRIES},\n    {_FURTHER}\nFROM") + _PAID.replace("CREDITED", _CREDITED)

_NOW = """
CREATE OR REPLACE VIEW case_figures_now AS
SELECT {columns} FROM case_figures f
WHERE NOT EXISTS (SELECT 1 FROM report_stale s WHERE s.case_id = f.case_id)
UNION ALL
SELECT {columns} FROM case_figures_live l WHERE l.case_id IN (SELECT case_id FROM report_stale)
"""
_SUMS = """
    cases recovered_cases credited_cases unwritten_cases open_cases lost_cases withdrawn_cases recovery_seconds at_risk_minor
    recovered_minor credited_minor refunded_minor disputed_minor fee_minor monthly_minor one_off_minor open_minor lost_minor
    withdrawn_minor
"""
_COLUMNS = (
    "case_id, failed_at, currency, state, source, recovered_at, emails_sent, reason, decline_class, brand, country, segment, "
    "tenure, contract, amount_band, at_risk_minor, recovered_minor, credited_minor, refunded_minor, disputed_minor, fee_minor, "
    "monthly_minor, sources, source_recovered, source_refunded, source_disputed, try_numbers, try_slots, try_outcomes, try_minor, "
    "arm, paid_at, paid_minor, paid_credited"
)


def upgrade() -> None:
    op.add_column("cases", sa.Column("arm", sa.Text(), nullable=True))
    op.execute("ALTER TABLE cases ADD CONSTRAINT ck_cases_arm_known CHECK (arm IN ('engine', 'holdout')) NOT VALID")
    op.execute("ALTER TABLE cases VALIDATE CONSTRAINT ck_cases_arm_known")
    op.add_column("case_figures", sa.Column("arm", sa.Text(), server_default=sa.text("'not measured'"), nullable=False))
    nothing = sa.text("'{}'")
    op.add_column(
        "case_figures",
        sa.Column("paid_at", postgresql.ARRAY(sa.DateTime(timezone=True)), server_default=nothing, nullable=False),
    )
    op.add_column(
        "case_figures",
        sa.Column("paid_minor", postgresql.ARRAY(sa.BigInteger()), server_default=nothing, nullable=False),
    )
    op.add_column(
        "case_figures",
        sa.Column("paid_credited", postgresql.ARRAY(sa.Boolean()), server_default=nothing, nullable=False),
    )
    _tables()
    op.execute(_AFTER.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    op.execute(_NOW.format(columns=_COLUMNS))
    op.execute("INSERT INTO report_stale (case_id) SELECT id FROM cases")


def _tables() -> None:
    op.create_index(
        "ix_case_figures_measured", "case_figures", ["failed_at"], postgresql_where=sa.text("arm <> 'not measured'")
    )
    op.create_table(
        "figure_months",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("zone", "month")),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("begins_at", "ends_at", "made_at")),
        sa.PrimaryKeyConstraint("zone", "month", name=op.f("pk_figure_months")),
    )
    keys = ("zone", "month", "cut", "key", "currency")
    op.create_table(
        "figure_sums",
        *(sa.Column(name, sa.Text(), nullable=False) for name in keys),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMS.split()),
        sa.PrimaryKeyConstraint(*keys, name=op.f("pk_figure_sums")),
    )


def downgrade() -> None:
    # A view loses columns only by being made anew.
    op.execute("DROP VIEW case_figures_now")
    op.execute("DROP VIEW case_figures_live")
    op.execute(_BEFORE)
    op.execute(_NOW.format(columns=_COLUMNS.removesuffix(", arm, paid_at, paid_minor, paid_credited")))
    op.drop_index("ix_case_figures_measured", "case_figures")
    for name in ("paid_credited", "paid_minor", "paid_at", "arm"):
        op.drop_column("case_figures", name)
    op.drop_table("figure_sums")
    op.drop_table("figure_months")
    op.drop_constraint(op.f("ck_cases_arm_known"), "cases", type_="check")
    op.drop_column("cases", "arm")
