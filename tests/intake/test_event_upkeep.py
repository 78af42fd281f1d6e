"""Events of years neither slow down those that wait nor stay for ever."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from building import wired
from sqlalchemy import event, text

from recovery.runtime.clock import machine_now
from recovery.runtime.wiring import Wiring
from recovery.storage.event_store import DROPPED_MAX, KEPT_DAYS, claim_events, drop_done

MANY = """
    INSERT INTO events (gateway, id, kind, livemode, created_at, object_id, content, caused_by_request, received_at, state)
    SELECT 'stripe', :prefix || n, 'invoice.paid', false, now(), 'in_1', '{}', false, :received_at, :state
    FROM generate_series(1, :count) AS n
"""


@pytest.fixture
def wiring(database_url: str) -> Iterator[Wiring]:
    with wired(database_url) as made:
        yield made


def keep(wiring: Wiring, count: int, *, state: str, days: int) -> None:
    values = {"prefix": f"evt_{state}_{days}_", "received_at": machine_now() - timedelta(days=days)}
    with wiring.database.begin() as tx:
        tx.execute(text(MANY), values | {"count": count, "state": state})


def test_a_claim_reads_what_waits_and_not_all_that_ever_came(wiring: Wiring) -> None:
    keep(wiring, 20_000, state="done", days=1)
    keep(wiring, 300, state="waiting", days=0)
    asked: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, values: object, *_more: object) -> None:
        asked.append((statement, values))

    event.listen(wiring.database, "before_cursor_execute", note)
    now = machine_now()
    with wiring.database.connect() as tx, tx.begin() as trial:
        tx.execute(text("ANALYZE events"))
        asked.clear()
        assert len(claim_events(tx, machine_now=now, lease_until=now + timedelta(seconds=9), limit=50)) == 50
        statement, values = asked[0]
        trial.rollback()
    with wiring.database.connect() as tx:
        plan = "\n".join(str(row[0]) for row in tx.exec_driver_sql(f"EXPLAIN {statement}", values))  # type: ignore[arg-type]
    assert "ix_events_waiting" in plan
    assert "Seq Scan on events" not in plan


def test_events_that_are_done_go_after_a_while_and_others_stay(wiring: Wiring) -> None:
    keep(wiring, DROPPED_MAX + 5, state="done", days=KEPT_DAYS + 1)
    keep(wiring, 7, state="done", days=KEPT_DAYS - 1)
    keep(wiring, 3, state="set_aside", days=KEPT_DAYS + 1)
    keep(wiring, 2, state="waiting", days=KEPT_DAYS + 1)
    with wiring.database.begin() as tx:
        assert [drop_done(tx, machine_now=machine_now()) for _ in range(3)] == [DROPPED_MAX, 5, 0]
        left = tx.execute(text("SELECT state, count(*) FROM events GROUP BY state ORDER BY state")).all()
    assert [tuple(row) for row in left] == [("done", 7), ("set_aside", 3), ("waiting", 2)]
