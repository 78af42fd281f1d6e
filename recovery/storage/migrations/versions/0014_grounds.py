"""What each decision rested on, beside its reason; lines of before have none."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("journal", sa.Column("grounds", JSONB(none_as_null=True)))


def downgrade() -> None:
    op.drop_column("journal", "grounds")
