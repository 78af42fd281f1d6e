"""Cases remember which stored entries had their billing address corrected; corrections of before are not known."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    corrections = postgresql.JSONB(none_as_null=True)
    op.add_column("cases", sa.Column("corrections", corrections, server_default=sa.text("'[]'"), nullable=False))


def downgrade() -> None:
    op.drop_column("cases", "corrections")
