"""Indexes for a year of churn, and the tenure of cases whose subscription was only known since an import."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_BEFORE: str = import_module("recovery.storage.migrations.versions.0022_part_payments")._AFTER
_SINCE = "coalesce(c.subscribed_at, (SELECT p.started_at FROM subscriptions p WHERE p.id = c.subscription))"
_AFTER = (
    _BEFORE.replace("WHEN c.subscribed_at IS NULL THEN", "WHEN b.subscribed_at IS NULL THEN")
    .replace("c.failed_at - c.subscribed_at", "c.failed_at - b.subscribed_at")
    .replace("FROM cases c\n", f"FROM cases c\nCROSS JOIN LATERAL (SELECT {_SINCE} AS subscribed_at) b\n")
)
_STALE = """
INSERT INTO report_stale (case_id)
SELECT c.id FROM cases c JOIN subscriptions p ON p.id = c.subscription WHERE c.subscribed_at IS NULL
"""
_SEVERAL = """
UPDATE subscriptions s SET several = true FROM (
    SELECT customer, currency FROM subscriptions GROUP BY customer, currency HAVING count(*) > 1
) o WHERE o.customer = s.customer AND o.currency = s.currency
"""


def upgrade() -> None:
    op.create_index("ix_cases_failed_at", "cases", ["failed_at"], postgresql_include=["id", "customer"])
    op.add_column("subscriptions", sa.Column("several", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.execute(_SEVERAL)
    op.add_column("past_invoices", sa.Column("first", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index("ix_subscriptions_person", "subscriptions", ["customer", "currency"])
    op.create_index("ix_subscriptions_several", "subscriptions", ["id"], postgresql_where=sa.text("several"))
    op.drop_index("ix_subscriptions_customer", "subscriptions")
    op.execute(_AFTER.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    op.execute(_STALE)


def downgrade() -> None:
    op.execute(_BEFORE.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    op.execute(_STALE)
    op.create_index("ix_subscriptions_customer", "subscriptions", ["customer"])
    op.drop_index("ix_subscriptions_person", "subscriptions")
    op.drop_column("past_invoices", "first")
    op.drop_index("ix_subscriptions_several", "subscriptions")
    op.drop_column("subscriptions", "several")
    op.drop_index("ix_cases_failed_at", "cases", postgresql_include=["id", "customer"])
