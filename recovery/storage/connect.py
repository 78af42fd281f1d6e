"""One way to a database engine. Without it each process would choose its own pool, timeouts and time zone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DataError, DisconnectionError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

OUR_MISTAKES = (IntegrityError, DataError, ProgrammingError)
"""What the database refuses because of what was asked, not of how it is: one step's or event's own failure, never a reason to
stop working on the others."""


def waited_in_vain(error: SQLAlchemyError) -> bool:
    """Whether others held what was asked for too long: a lock, or the connections of the pool. It says nothing of whoever asked."""
    held = isinstance(getattr(error, "orig", None), LockNotAvailable | DeadlockDetected)
    return held or isinstance(error, NoConnectionFree)


PROVED_SECONDS = 1.0
"""A connection that was used so shortly ago is taken to live: asking it each time would be a third of all questions. Whoever meets
one that died since is told so as by any database that goes away, and loses nothing.
"""


def connect(url: str, *, pool_size: int = 5, application: str = "recovery") -> Engine:
    """A pooled engine with bounded waits: connecting 5 s, a statement 30 s, a lock 10 s, an idle transaction 60 s."""
    options = (
        "-c timezone=UTC -c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000"
    )
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        hide_parameters=True,  # errors are logged, and the values are customers and cards
        pool_use_lifo=True,  # few connections stay warm, with their statements prepared
        connect_args={"connect_timeout": 5, "options": options, "application_name": application},
    )
    event.listen(engine, "checkin", _laid_by)
    event.listen(engine, "checkout", partial(_proved, engine.dialect))
    return engine


def _laid_by(_connection: object, record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    record.info[_LAID_BY] = time.monotonic()


def _proved(dialect: Any, connection: Any, record: Any, _proxy: object) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Ask a connection that was idle whether it lives; the pool puts a new one in the place of one that does not."""
    if time.monotonic() - record.info.get(_LAID_BY, 0.0) < PROVED_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError("the connection died while it was idle") from error


_LAID_BY = "laid_by"


@contextmanager
def reading(database: Engine) -> Iterator[Connection]:
    """A connection for one question that is asked often: without a transaction around it, whose end by a rollback would also make
    the driver forget every statement that it had prepared."""
    with database.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


at_once = reading
"""The same for one statement that writes: it is a transaction by itself, and the ends of a larger one cost two questions more."""
