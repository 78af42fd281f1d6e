"""Leaving: the question for the reason is a step of its own, and a case knows whether its subscription was cancelled."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_BEFORE = (
    "kind IN ('charge_card', 'close_case', 'escalate', 'keep_card', 'refresh_card', 'send_email', 'settle_attempt', "
    "'wake_siblings')"
)
_AFTER = (
    "kind IN ('ask_reason', 'charge_card', 'close_case', 'escalate', 'keep_card', 'refresh_card', 'send_email', "
    "'settle_attempt', 'wake_siblings')"
)


def upgrade() -> None:
    op.add_column("cases", sa.Column("cancelled", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("cases", sa.Column("reason_mail", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE cases SET cancelled = true WHERE state = 'withdrawn' AND EXISTS (SELECT FROM journal"
        " WHERE journal.case_id = cases.id AND journal.fact = 'SubscriptionCancelled')"
    )
    op.drop_constraint(op.f("ck_steps_kind_known"), "steps", type_="check")
    op.execute(f"ALTER TABLE steps ADD CONSTRAINT ck_steps_kind_known CHECK ({_AFTER}) NOT VALID")
    op.execute("ALTER TABLE steps VALIDATE CONSTRAINT ck_steps_kind_known")


def downgrade() -> None:
    op.execute(
        "DELETE FROM steps WHERE kind = 'ask_reason' AND NOT EXISTS (SELECT FROM emails WHERE step_id = steps.id)"
    )
    # The version before knows the question as a letter like the others.
    op.execute("UPDATE steps SET kind = 'send_email', state = 'done', lease_until = NULL WHERE kind = 'ask_reason'")
    op.drop_constraint(op.f("ck_steps_kind_known"), "steps", type_="check")
    op.execute(f"ALTER TABLE steps ADD CONSTRAINT ck_steps_kind_known CHECK ({_BEFORE})")
    op.drop_column("cases", "reason_mail")
    op.drop_column("cases", "cancelled")
