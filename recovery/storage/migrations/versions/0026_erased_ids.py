"""What the journal says of a forgotten customer: the gateway's names of cards are erased like their digits."""

from importlib import import_module

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_BEFORE: str = import_module("recovery.storage.migrations.versions.0021_forgotten_reasons")._ERASED
# Names of stored cards at Stripe; "card_declined" and its like are codes and stay.
_AFTER = _BEFORE.replace("ELSE regexp_replace(", "ELSE regexp_replace(regexp_replace(").replace(
    "'number changed', 'g') END",
    "'number changed', 'g'),\n                        '\\m(pm_[0-9A-Za-z_]+|(card|src)_[0-9][0-9A-Za-z]{8,})', 'a card', 'g') END",
)


def upgrade() -> None:
    op.execute(_AFTER.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))


def downgrade() -> None:
    op.execute(_BEFORE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
