"""What an import brings in from before: invoices, charges, and prices of subscriptions that changed."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Times only grow: a few pages tell where a month of millions of rows is.
    op.create_index("ix_attempts_started_at", "attempts", ["started_at"], postgresql_using="brin")
    op.create_index("ix_foreign_charges_at", "foreign_charges", ["at"], postgresql_using="brin")
    op.create_table(
        "past_invoices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("subscription", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_past_invoices_amount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_past_invoices")),
    )
    op.create_index("ix_past_invoices_created_at", "past_invoices", ["created_at"])
    op.create_index("ix_past_invoices_customer", "past_invoices", ["customer"])
    op.create_table(
        "past_charges",
        sa.Column("charge_id", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("budget_key", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=True),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("charge_id", name=op.f("pk_past_charges")),
    )
    op.create_index("ix_past_charges_budget", "past_charges", ["budget_key", "at"], postgresql_where=sa.text("counts"))
    op.create_index("ix_past_charges_customer", "past_charges", ["customer"])
    op.create_table(
        "subscription_changes",
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before_minor", sa.BigInteger(), nullable=False),
        sa.Column("after_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscription", "at", name=op.f("pk_subscription_changes")),
    )


def downgrade() -> None:
    op.drop_index("ix_foreign_charges_at", "foreign_charges")
    op.drop_index("ix_attempts_started_at", "attempts")
    for table in ("subscription_changes", "past_charges", "past_invoices"):
        op.drop_table(table)
