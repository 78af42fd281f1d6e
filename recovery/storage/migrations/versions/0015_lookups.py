"""Indexes for what is looked up all the time: the attempt and the email of a step, and events old enough to be deleted."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_attempts_step_id", "attempts", ["step_id"])
    op.create_index("ix_emails_step_id", "emails", ["step_id"])
    op.create_index("ix_events_received_at", "events", ["received_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("ix_events_received_at", "events")
    op.drop_index("ix_emails_step_id", "emails")
    op.drop_index("ix_attempts_step_id", "attempts")
