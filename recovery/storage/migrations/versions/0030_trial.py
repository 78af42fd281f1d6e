"""Whether a case is of the first invoice after a trial: a policy that it moves to may have segments of its own for that.

Of open cases the shipped policy's segment of that name tells; ended ones move to no policy.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cases", sa.Column("trial", sa.Boolean(), nullable=True))
    op.execute(
        "UPDATE cases SET trial = 'trial' = ANY (string_to_array(segment, '+')) "
        "WHERE subscribed_at IS NOT NULL AND ended_at IS NULL"
    )


def downgrade() -> None:
    op.drop_column("cases", "trial")
