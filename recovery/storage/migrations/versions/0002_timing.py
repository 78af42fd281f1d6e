"""Timing: a case's segment and own zone, woken siblings, and outcomes by issuer country, funding, local hour and weekday."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BEFORE = "kind IN ('charge_card', 'close_case', 'escalate', 'refresh_card', 'send_email', 'settle_attempt')"
_AFTER = (
    "kind IN ('charge_card', 'close_case', 'escalate', 'refresh_card', 'send_email', 'settle_attempt', 'wake_siblings')"
)

# Monday is 1, as ISO counts weekdays. Attempts from before this version have no zone and are counted in UTC.
_OUTCOMES = """
CREATE VIEW attempt_outcomes AS
SELECT a.id AS attempt_id,
       a.case_id,
       a.number,
       a.purpose,
       a.status,
       a.status = 'succeeded' AS succeeded,
       a.counts AS reached_network,
       a.decline_class,
       a.signals ->> 'decline_code' AS decline_code,
       a.signals ->> 'network_decline_code' AS network_decline_code,
       a.card ->> 'country' AS country,
       a.card ->> 'brand' AS brand,
       a.card ->> 'funding' AS funding,
       a.amount_minor,
       a.currency,
       c.segment,
       a.started_at,
       coalesce(a.zone, 'UTC') AS zone,
       extract(hour FROM a.started_at AT TIME ZONE coalesce(a.zone, 'UTC'))::int AS local_hour,
       extract(isodow FROM a.started_at AT TIME ZONE coalesce(a.zone, 'UTC'))::int AS local_weekday,
       extract(day FROM a.started_at AT TIME ZONE coalesce(a.zone, 'UTC'))::int AS local_day
FROM attempts a JOIN cases c ON c.id = a.case_id
WHERE a.status IN ('succeeded', 'declined', 'needs_customer')
"""


def upgrade() -> None:
    op.add_column("cases", sa.Column("segment", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("cases", sa.Column("zone", sa.Text(), nullable=True))
    op.add_column("cases", sa.Column("woken_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("attempts", sa.Column("zone", sa.Text(), nullable=True))
    op.drop_constraint(op.f("ck_steps_kind_known"), "steps", type_="check")
    # NOT VALID takes no scan under the lock; every row of before is among the kinds listed.
    op.execute(f"ALTER TABLE steps ADD CONSTRAINT ck_steps_kind_known CHECK ({_AFTER}) NOT VALID")
    op.execute("ALTER TABLE steps VALIDATE CONSTRAINT ck_steps_kind_known")
    op.execute(_OUTCOMES)


def downgrade() -> None:
    op.execute("DROP VIEW attempt_outcomes")
    op.execute("DELETE FROM steps WHERE kind = 'wake_siblings'")
    op.drop_constraint(op.f("ck_steps_kind_known"), "steps", type_="check")
    op.create_check_constraint(op.f("ck_steps_kind_known"), "steps", _BEFORE)
    op.drop_column("attempts", "zone")
    op.drop_column("cases", "woken_at")
    op.drop_column("cases", "zone")
    op.drop_column("cases", "segment")
