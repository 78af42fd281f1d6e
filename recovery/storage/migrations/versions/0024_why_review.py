"""Cases remember the details that any charge was refused on, and why a person must look.

Those of before: the next reading shows all charges; a case in review without a reason waits for its person, as it did.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    failed = postgresql.JSONB(none_as_null=True)
    op.add_column("cases", sa.Column("failed_cards", failed, server_default=sa.text("'[]'"), nullable=False))
    op.add_column("cases", sa.Column("review", sa.Text()))


def downgrade() -> None:
    op.drop_column("cases", "review")
    op.drop_column("cases", "failed_cards")
