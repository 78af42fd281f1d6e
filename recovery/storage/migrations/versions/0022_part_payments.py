"""What is at risk comes from the ledger, part payments included: a case holds only what remains to be paid."""

from importlib import import_module

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_BEFORE: str = import_module("recovery.storage.migrations.versions.0017_holdout")._AFTER
_OWED = """
    FROM (SELECT coalesce((
        SELECT x.amount_minor FROM ledger x WHERE x.case_id = c.id AND x.kind = 'at_risk_changed' ORDER BY x.id DESC LIMIT 1
    ), opened.amount_minor, c.amount_minor) AS minor) owed
) s
"""
_AFTER = _BEFORE.replace("greatest(c.amount_minor, m.recovered)", "greatest(owed.minor, m.recovered)").replace(
    "ELSE 100.0 END AS major\n) s\n", f"ELSE 100.0 END AS major{_OWED}"
)
# Sums of a month made by the old definition would be corrected by the new one.
_AFRESH = (
    "DELETE FROM figure_months",
    "DELETE FROM figure_sums",
    "INSERT INTO report_stale (case_id) SELECT DISTINCT case_id FROM ledger WHERE kind IN ('recovered', 'at_risk_changed')",
)


def upgrade() -> None:
    op.execute(_AFTER.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    for statement in _AFRESH:
        op.execute(statement)


def downgrade() -> None:
    op.execute(_BEFORE.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    for statement in _AFRESH:
        op.execute(statement)
