"""Cards: what a case knows of all the customer's cards, and which of them the customer chose."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    wallet = postgresql.JSONB(none_as_null=True)
    op.add_column("cases", sa.Column("wallet", wallet, server_default=sa.text("'[]'"), nullable=False))
    op.add_column("cases", sa.Column("choice", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("cases", "choice")
    op.drop_column("cases", "wallet")
