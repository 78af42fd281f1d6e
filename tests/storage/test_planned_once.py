"""What is asked all the time can be planned once: without knowing its values, the database takes the index of the few open rows."""

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.elements import ClauseElement

from recovery.storage import backlog_queries, event_store, step_store
from recovery.storage.connect import connect

ASKED: tuple[tuple[ClauseElement, set[str]], ...] = (
    (step_store._DUE_KINDS, {"ix_steps_due"}),
    (backlog_queries._BUSY_NOW, {"ix_steps_due", "ix_steps_leases", "ix_events_waiting"}),
    (event_store._WAITING, {"ix_events_waiting"}),
    (event_store._claim(suspects=False), {"ix_events_waiting"}),
)


def test_the_index_is_found_without_the_values(database_url: str) -> None:
    engine = connect(database_url)
    try:
        with engine.begin() as tx:
            tx.exec_driver_sql("SET LOCAL enable_seqscan = off")
            for statement, indexes in ASKED:
                plan = "\n".join(tx.exec_driver_sql(f"EXPLAIN (GENERIC_PLAN) {_unasked(statement)}").scalars())
                assert {index for index in indexes if index not in plan} == set(), plan
    finally:
        engine.dispose()


def _unasked(statement: ClauseElement) -> str:
    """The statement's text with its values left open, as the database keeps it."""
    dialect = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
    return str(statement.compile(dialect=dialect))
