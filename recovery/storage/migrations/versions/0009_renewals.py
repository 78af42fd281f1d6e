"""Renewals: what looking ahead has seen of cards that expire before their charge, and how far the day's round has come."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "renewals",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("renews_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("card", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("at_risk", sa.Boolean(), nullable=False),
        sa.Column("was_at_risk", sa.Boolean(), nullable=False),
        sa.Column("credited", sa.Text(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("credited IN ('customer', 'engine', 'gateway')", name=op.f("ck_renewals_credited_known")),
        sa.PrimaryKeyConstraint("gateway", "subscription", "renews_at", name=op.f("pk_renewals")),
    )
    op.create_table(
        "lookahead_rounds",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("gateway", name=op.f("pk_lookahead_rounds")),
    )


def downgrade() -> None:
    op.drop_table("lookahead_rounds")
    op.drop_table("renewals")
