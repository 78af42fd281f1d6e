"""One way to a database engine. Without it each process would choose its own pool, timeouts and time zone."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

OUR_MISTAKES = (IntegrityError, DataError, ProgrammingError)
"""What the database refuses because of what was asked, not of how it is: one step's or event's own failure, never a reason to
stop working on the others."""


def connect(url: str, *, pool_size: int = 5, application: str = "recovery") -> Engine:
    """A pooled engine with bounded waits: connecting 5 s, a statement 30 s, a lock 10 s, an idle transaction 60 s."""
    options = (
        "-c timezone=UTC -c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000"
    )
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_use_lifo=True,  # few connections stay warm, with their statements prepared
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "options": options, "application_name": application},
    )


@contextmanager
def reading(database: Engine) -> Iterator[Connection]:
    """A connection for one question that is asked often: without a transaction around it, whose end by a rollback would also make
    the driver forget every statement that it had prepared."""
    with database.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")
