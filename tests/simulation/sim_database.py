"""Databases for runs: one is made and migrated, then emptied between runs, which is a hundred times faster than a new one."""

from sqlalchemy import Engine, text

from recovery.storage.tables import metadata


def emptied(engine: Engine) -> Engine:
    """The same database without a row."""
    names = ", ".join(table.name for table in metadata.sorted_tables)
    with engine.begin() as tx:
        tx.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    return engine
