"""Databases for tests, lent one after the other. Making one for each test, and dropping it, took a tenth of all tests' time.

Only one that is as new in all but its rows is lent again; after a change of its schema, growth or an analysis it is dropped.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

GROWN_BYTES = 2_000_000
"""Deleted rows keep their room; beyond this much a new database is quicker to read."""

# Every change of a schema leaves a younger row in one of these.
_CATALOGUES = {
    "pg_class": "oid",
    "pg_attribute": "attrelid",
    "pg_attrdef": "oid",
    "pg_constraint": "oid",
    "pg_index": "indexrelid",
    "pg_proc": "oid",
    "pg_trigger": "oid",
    "pg_type": "oid",
}
_OURS = 16384
"""Objects with smaller numbers are PostgreSQL's own."""

_LOOK = (
    "SELECT "
    + ", ".join(
        f"(SELECT (count(*), sum(xmin::text::bigint))::text FROM {name} WHERE {key} >= {_OURS})"
        for name, key in _CATALOGUES.items()
    )
    + f", (SELECT count(*) FROM pg_statistic WHERE starelid >= {_OURS})"
    f", (SELECT count(*) FROM pg_class WHERE oid >= {_OURS} AND relkind = 'r' AND reltuples >= 0)"
    ", (SELECT string_agg(version_num, ',') FROM alembic_version)"
)
_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'"
_LEAVE = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_COUNT_ANEW = (
    "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
)


_numbers = itertools.count(1)


@dataclass
class Databases:
    """Copies of a template on one server: ``base`` is its URL up to the database's name."""

    base: str
    template: str
    _free: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        with self._connected(self.template) as connection:
            self._new = connection.execute(_LOOK.encode()).fetchone()
            self._bytes = self._size(connection)
            # Guards of the books are off for it, as are the references between tables.
            tables = [SQL("DELETE FROM {}").format(Identifier(name)) for (name,) in connection.execute(_TABLES)]
            quiet = SQL("SET LOCAL session_replication_role = replica")
            self._emptied = SQL("; ").join([SQL("BEGIN"), quiet, *tables, SQL(_COUNT_ANEW), SQL("COMMIT")])

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of a database without a row."""
        name = self._free.pop() if self._free else self._copied()
        yield f"{self.base}/{name}"
        if self._as_new(name):
            self._free.append(name)
        else:
            with self._connected("postgres") as connection:
                connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    def _copied(self) -> str:
        name = f"lent_{next(_numbers)}"
        copy = SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(self.template))
        with self._connected("postgres") as connection:
            connection.execute(copy)
        return name

    def _as_new(self, name: str) -> bool:
        """Empty it, once everybody has left; False when it is not to be used again."""
        with self._connected(name) as connection:
            connection.execute(_LEAVE)
            if connection.execute(_LOOK.encode()).fetchone() != self._new:
                return False
            connection.execute(self._emptied)
            return self._size(connection) < self._bytes + GROWN_BYTES

    def _size(self, connection: "psycopg.Connection[Any]") -> int:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        return int(row[0])

    def _connected(self, name: str) -> "psycopg.Connection[Any]":
        return psycopg.connect(f"{self.base.replace('+psycopg', '')}/{name}", autocommit=True)
