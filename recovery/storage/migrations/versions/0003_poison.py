"""Poison: how often a step or event was begun and never ended, and when a step was set aside for a person."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("steps", sa.Column("unended", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("steps", sa.Column("set_aside_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("events", sa.Column("unended", sa.Integer(), server_default=sa.text("0"), nullable=False))
    # All three are empty when they are made, and a plain index of a table of open work takes moments.
    op.create_index(
        "ix_steps_suspects", "steps", ["due_at"], postgresql_where=sa.text("state = 'planned' AND unended >= 2")
    )
    op.create_index(
        "ix_steps_set_aside", "steps", ["set_aside_at"], postgresql_where=sa.text("set_aside_at IS NOT NULL")
    )
    op.create_index(
        "ix_events_suspects", "events", ["seq"], postgresql_where=sa.text("state = 'waiting' AND unended >= 2")
    )


def downgrade() -> None:
    op.drop_index("ix_events_suspects", "events")
    op.drop_index("ix_steps_set_aside", "steps")
    op.drop_index("ix_steps_suspects", "steps")
    op.drop_column("events", "unended")
    op.drop_column("steps", "set_aside_at")
    op.drop_column("steps", "unended")
