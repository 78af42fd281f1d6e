"""A customer who was erased keeps the contract in the figures: the interval tells a subscription, not its id, which is gone."""

from importlib import import_module

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_BEFORE: str = import_module("recovery.storage.migrations.versions.0007_report")._LIVE
_AFTER = _BEFORE.replace(
    "CASE WHEN c.subscription IS NULL THEN 'one-off'",
    "CASE WHEN c.subscription IS NULL AND c.interval IS NULL THEN 'one-off'",
).replace("CASE WHEN c.subscription IS NULL THEN 0", "CASE WHEN c.interval IS NULL THEN 0")
_CHANGED = "INSERT INTO report_stale (case_id) SELECT id FROM cases WHERE subscription IS NULL AND interval IS NOT NULL"


def upgrade() -> None:
    op.execute(_AFTER.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    op.execute(_CHANGED)


def downgrade() -> None:
    op.execute(_BEFORE.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    op.execute(_CHANGED)
