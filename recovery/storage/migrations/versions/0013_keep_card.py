"""Keep card: a step of its own for making the card that paid the subscription's default."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BEFORE = (
    "kind IN ('charge_card', 'close_case', 'escalate', 'refresh_card', 'send_email', 'settle_attempt', 'wake_siblings')"
)
_AFTER = (
    "kind IN ('charge_card', 'close_case', 'escalate', 'keep_card', 'refresh_card', 'send_email', 'settle_attempt', "
    "'wake_siblings')"
)


def upgrade() -> None:
    op.drop_constraint(op.f("ck_steps_kind_known"), "steps", type_="check")
    # NOT VALID takes no scan under the lock; every row of before is among the kinds listed.
    op.execute(f"ALTER TABLE steps ADD CONSTRAINT ck_steps_kind_known CHECK ({_AFTER}) NOT VALID")
    op.execute("ALTER TABLE steps VALIDATE CONSTRAINT ck_steps_kind_known")


def downgrade() -> None:
    op.execute("DELETE FROM steps WHERE kind = 'keep_card'")
    op.drop_constraint(op.f("ck_steps_kind_known"), "steps", type_="check")
    op.execute(f"ALTER TABLE steps ADD CONSTRAINT ck_steps_kind_known CHECK ({_BEFORE})")
