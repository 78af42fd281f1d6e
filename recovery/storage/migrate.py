"""Brings the schema to what the code expects. Without it a new version would meet an old schema and lose writes half way."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text

LOCK_TIMEOUT_SECONDS = 5
"""A migration that cannot get its lock gives up rather than queue in front of every payment."""

_MIGRATION_LOCK = 7_346_021
"""Advisory lock number under which migrations run, so that two starting processes do not migrate at once."""


def upgrade(url: str) -> str:
    """Run all outstanding migrations in one transaction each and return the schema's version.

    Raises sqlalchemy.exc.OperationalError when the database is away or a lock is not to be had in LOCK_TIMEOUT_SECONDS.
    """
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _MIGRATION_LOCK})
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
            command.upgrade(_config(connection), "head")
    finally:
        engine.dispose()
    return head()


def head() -> str:
    """The version that this code expects."""
    version = ScriptDirectory.from_config(_config(None)).get_current_head()
    assert version is not None
    return version


def current(engine: Engine) -> str | None:
    """The version that the database has; None before the first migration."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
