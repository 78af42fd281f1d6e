"""Indexes for the estimate of penalties and for the newest bookings behind a figure: of a month, not of all there ever was."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_COUNTS = sa.text("counts")


def upgrade() -> None:
    op.create_index(
        "ix_attempts_tries",
        "attempts",
        ["started_at"],
        postgresql_include=["budget_key", "id"],
        postgresql_where=_COUNTS,
    )
    for name, field in (("decline", "network_decline_code"), ("advice", "network_advice_code")):
        code = sa.text(f"(signals ->> '{field}')")
        op.create_index(f"ix_attempts_network_{name}", "attempts", [code, "started_at"], postgresql_where=_COUNTS)
    op.create_index(
        "ix_foreign_charges_tries",
        "foreign_charges",
        ["at"],
        postgresql_include=["budget_key"],
        postgresql_where=_COUNTS,
    )
    op.create_index("ix_ledger_occurred_at", "ledger", ["occurred_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_ledger_occurred_at", "ledger")
    op.drop_index("ix_foreign_charges_tries", "foreign_charges")
    for name in ("advice", "decline"):
        op.drop_index(f"ix_attempts_network_{name}", "attempts")
    op.drop_index("ix_attempts_tries", "attempts")
