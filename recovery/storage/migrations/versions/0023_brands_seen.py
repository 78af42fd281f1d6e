"""Cases remember every brand that a stored card was shown with, and how often in a row a due try was put off."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# Of open cases what their rows still tell: an ended one is charged no more.
_FROM_THE_ROWS = """
UPDATE cases c SET brands_seen = (
    SELECT coalesce(jsonb_agg(one.card), '[]') FROM (
        SELECT DISTINCT ON (card ->> 'payment_method', card ->> 'brand') card FROM (
            SELECT c.tried_card AS card, 0 AS place
            UNION ALL SELECT c.card, 1
            UNION ALL SELECT value, 2 FROM jsonb_array_elements(c.dead_cards)
            UNION ALL SELECT a.card, 3 FROM attempts a WHERE a.case_id = c.id
            UNION ALL SELECT value -> 'card', 4 FROM jsonb_array_elements(c.wallet)
        ) every WHERE card ->> 'brand' IS NOT NULL ORDER BY card ->> 'payment_method', card ->> 'brand', place
    ) one
) WHERE c.ended_at IS NULL
"""


def upgrade() -> None:
    seen = postgresql.JSONB(none_as_null=True)
    op.add_column("cases", sa.Column("brands_seen", seen, server_default=sa.text("'[]'"), nullable=False))
    op.add_column("cases", sa.Column("put_off", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.execute(_FROM_THE_ROWS)


def downgrade() -> None:
    op.drop_column("cases", "put_off")
    op.drop_column("cases", "brands_seen")
