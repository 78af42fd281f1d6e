"""Indexes for the estimate of penalties: others' tries of a month and what networks said of them, not all there ever were."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_COUNTS = sa.text("counts")


def upgrade() -> None:
    for field in ("decline", "advice"):
        code = sa.text(f"(signals ->> 'network_{field}_code')")
        name = f"ix_foreign_charges_network_{field}"
        op.create_index(name, "foreign_charges", [code, "at"], postgresql_where=_COUNTS)
    op.create_index(
        "ix_past_charges_tries", "past_charges", ["at"], postgresql_include=["budget_key"], postgresql_where=_COUNTS
    )


def downgrade() -> None:
    op.drop_index("ix_past_charges_tries", "past_charges")
    for field in ("advice", "decline"):
        op.drop_index(f"ix_foreign_charges_network_{field}", "foreign_charges")
