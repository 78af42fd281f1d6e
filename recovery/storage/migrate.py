"""Brings the schema to what the code expects. Without it a new version would meet an old schema and lose writes half way."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text


class SchemaTooOld(RuntimeError):
    """The database lacks migrations that this release needs; the message says which version it has and what to run."""


LOCK_TIMEOUT_SECONDS = 5
"""A migration that cannot get its lock gives up rather than queue in front of every payment."""

_MIGRATION_LOCK = 7_346_021
"""Advisory lock number under which migrations run, so that two starting processes do not migrate at once."""


def upgrade(url: str) -> str:
    """Run all outstanding migrations in one transaction, all or none, and return the schema's version.

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


def too_old(engine: Engine) -> str | None:
    """What is wrong when the database lacks a migration of this release, in words; None when it can be used.

    A schema that is newer than this code is no fault: migrations leave the release before them working (tests/storage), so that
    processes of both run side by side while one replaces the other.
    """
    found = current(engine)
    if found == _ours()[0] or (found is not None and found not in _ours()):
        return None
    return f"schema version {_ours()[0]}; the database has {found or 'none'}: run recovery migrate"


def demand(engine: Engine) -> None:
    """Refuse to work on a schema that is too old. Raises SchemaTooOld and the database's own errors."""
    if (missing := too_old(engine)) is not None:
        raise SchemaTooOld(f"this release needs {missing}")


@cache
def _ours() -> tuple[str, ...]:
    """The versions that this code knows, its own first. Read once: readiness is asked for every few seconds."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config(None)).walk_revisions())


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
