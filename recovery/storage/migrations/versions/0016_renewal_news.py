"""Renewal news: what events said of subscriptions since looking ahead last read them; when a round began; cards by their method."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "renewal_news",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_renewal_news")),
    )
    op.add_column("lookahead_rounds", sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_card_history_payment_method", "card_history", ["payment_method", "id"])


def downgrade() -> None:
    op.drop_index("ix_card_history_payment_method", table_name="card_history")
    op.drop_column("lookahead_rounds", "begun_at")
    op.drop_table("renewal_news")
