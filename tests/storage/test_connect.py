"""Connections that died while nobody used them are replaced before anybody meets them."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from recovery.storage import connect as connecting
from recovery.storage.connect import connect


def _pid(engine: Engine) -> int:
    with engine.connect() as tx:
        return int(tx.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_a_connection_that_died_idle_is_replaced(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "PROVED_SECONDS", 0.0)
    engine, other = connect(database_url, pool_size=1), connect(database_url, pool_size=1)
    first = _pid(engine)
    assert _pid(engine) == first  # kept, not made anew each time
    with other.begin() as tx:
        tx.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    assert _pid(engine) != first
    engine.dispose()
    other.dispose()


def test_what_was_asked_for_is_not_told_when_it_goes_wrong(database_url: str) -> None:
    """Errors are logged with all their words; cards and customers are among the values."""
    database = connect(database_url)
    with pytest.raises(DBAPIError) as refused, database.begin() as tx:
        tx.execute(text("SELECT CAST(:customer AS text), 1 / :nothing"), {"customer": "cus_private", "nothing": 0})
    database.dispose()
    assert "cus_private" not in str(refused.value)
