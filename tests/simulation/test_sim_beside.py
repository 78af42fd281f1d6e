"""This release on the schema of the next one, as while the processes are replaced; and on one that is too old, which it refuses."""

from collections.abc import Iterator

import pytest
from building import settings_for
from sim_database import opened
from sim_play import Wish
from sim_shrink import run_wish
from sqlalchemy import Engine, inspect, text

from recovery.runtime.cli.explain import explanation
from recovery.runtime.cli.serve import serve_worker
from recovery.storage import migrate
from recovery.storage.migrate import SchemaTooOld

SEEDS = range(900, 903)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    connected = opened(database_url)
    yield connected
    connected.dispose()


def migrate_to_the_next(engine: Engine) -> None:
    """What a later release may do (tests/tidy): columns, tables and indexes more, kinds that we do not know, a version of its own."""
    with engine.begin() as tx:
        for table in inspect(tx).get_table_names():
            tx.execute(text(f"ALTER TABLE {table} ADD COLUMN of_tomorrow jsonb"))
            tx.execute(text(f"ALTER TABLE {table} ADD COLUMN counted_tomorrow integer NOT NULL DEFAULT 0"))
            tx.execute(text(f"CREATE INDEX ON {table} (counted_tomorrow)"))
        tx.execute(text("CREATE TABLE of_tomorrow (id bigint PRIMARY KEY, case_id text)"))
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def test_this_release_works_on_the_next_schema(engine: Engine) -> None:
    assert run_wish(engine, Wish(seed=SEEDS[0])) is None  # with statements prepared before it changes
    migrate_to_the_next(engine)
    assert migrate.too_old(engine) is None
    for seed in SEEDS:
        failure = run_wish(engine, Wish(seed=seed))
        assert failure is None, failure.brief()


def test_a_worker_refuses_a_schema_that_is_too_old_in_words(engine: Engine, database_url: str) -> None:
    with engine.begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '0013'"))
    settings = settings_for(database_url, broker_url="redis://127.0.0.1:1/0")
    with pytest.raises(SchemaTooOld) as refused:
        serve_worker(settings)
    told = explanation(refused.value)
    assert told is not None
    assert f"{migrate.head()}; the database has 0013: run recovery migrate" in told
