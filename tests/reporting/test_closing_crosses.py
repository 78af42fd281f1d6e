"""Closing a month while a worker books: each waits for the other's end, and neither is refused."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from building import Life
from sqlalchemy import text

from recovery.cases import facts
from recovery.cases.lifecycle import State
from recovery.reporting.closing import Closing, close_month
from recovery.storage import case_store


def test_a_month_is_closed_while_a_worker_books(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = life.fail("in_1")
    database, saved = life.wiring.database, case_store._save_entries
    changed = threading.Event()

    def slowly(*given: Any) -> None:
        """The case is written, its entries are not yet; the closing comes between."""
        changed.set()
        for _ in range(100):
            with database.connect() as tx:
                if tx.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
                    break
            time.sleep(0.05)
        saved(*given)

    monkeypatch.setattr(case_store, "_save_entries", slowly)
    failures: list[BaseException] = []

    def book() -> None:
        try:
            life.tell(case_id, facts.PersonDecided(to=State.LOST, note="given up", decided_at=life.at))
        except BaseException as error:  # noqa: BLE001 - the test tells
            failures.append(error)

    worker = threading.Thread(target=book)
    worker.start()
    assert changed.wait(10)
    try:
        later = datetime(2027, 6, 1, tzinfo=UTC)
        close_month(database, Closing(month=f"{life.at:%Y-%m}", zone="UTC", closed_by="finance"), now=later)
    except Exception as error:  # noqa: BLE001
        failures.append(error)
    worker.join()
    assert failures == []
    assert life.case(case_id).state is State.LOST
