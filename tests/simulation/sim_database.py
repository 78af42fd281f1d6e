"""Databases for runs: one is made and migrated, then emptied between runs, which is a hundred times faster than a new one."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Engine, create_engine, text

from recovery.storage.tables import metadata

WORN_RUNS = 60
"""Rows deleted leave their room to nobody at once: after so many runs it is given back, which takes as long as a run's tenth."""

_runs: dict[int, int] = {}


def opened(url: str) -> Engine:
    """A pool for one run after the other. Without the question before each use that production asks: nobody cuts connections here."""
    return create_engine(url, pool_use_lifo=True, connect_args={"options": "-c timezone=UTC"})


@cache
def _deletion() -> str:
    """One round trip. Triggers that guard the books are off for it; numbers begin anew, so that a seed replays to the letter.

    By a call and not by ALTER: after that the driver would prepare every statement again.
    """
    deleted = [f"DELETE FROM {table.name}" for table in metadata.sorted_tables]
    begun = [
        f"SELECT setval('{table.name}_{column.name}_seq', 1, false)"
        for table in metadata.sorted_tables
        for column in table.c
        if column.identity is not None
    ]
    return "; ".join(["SET LOCAL session_replication_role = replica", *deleted, *begun])


def emptied(engine: Engine) -> Engine:
    """The same database without a row."""
    run = _runs[id(engine)] = _runs.get(id(engine), -1) + 1
    with engine.begin() as tx:
        if run % WORN_RUNS == 0:
            names = ", ".join(table.name for table in metadata.sorted_tables)
            tx.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
        else:
            tx.exec_driver_sql(_deletion())
    return engine


class Eye:
    """Looks at the rows between turns, by the driver alone: a run looks a hundred times."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._driver: Any = self._connection.connection.driver_connection

    def see(self, query: str, asked: Mapping[str, object]) -> tuple[Any, ...]:
        """The one row of a query."""
        row: tuple[Any, ...] = self._driver.execute(query, asked).fetchone()
        return row

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()
