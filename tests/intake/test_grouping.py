"""Webhooks that arrive together share a commit; nobody is answered before his, and no bad one spoils it for the others."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import replace

import pytest
from building import wired
from sqlalchemy import event, text
from sqlalchemy.exc import DataError, OperationalError

from recovery.intake.grouping import GROUP_MAX, WAITING_MAX, EventWriter, TooManyWaiting
from recovery.runtime.clock import machine_now
from recovery.runtime.wiring import Wiring
from recovery.storage.connect import connect
from recovery.storage.event_store import StoredEvent


@pytest.fixture
def wiring(database_url: str) -> Iterator[Wiring]:
    with wired(database_url) as made:
        yield made


@pytest.fixture
def writer(wiring: Wiring) -> Iterator[EventWriter]:
    made = EventWriter(wiring.database, machine_now)
    yield made
    made.close()


def told(number: int, kind: str = "invoice.paid") -> StoredEvent:
    return StoredEvent(
        gateway="stripe",
        id=f"evt_{number}",
        kind=kind,
        livemode=False,
        created_at=machine_now(),
        object_id="in_1",
        content={"customer": "cus_1"},
        idempotency_key=None,
        caused_by_request=False,
    )


def stored(wiring: Wiring) -> int:
    with wiring.database.connect() as tx:
        return int(tx.execute(text("SELECT count(*) FROM events")).scalar_one())


def test_nobody_is_answered_before_the_commit_and_many_share_one(wiring: Wiring, writer: EventWriter) -> None:
    commits: list[int] = []
    event.listen(wiring.database, "commit", lambda _: commits.append(1))
    with wiring.database.connect() as other, other.begin():
        other.execute(text("LOCK TABLE events IN SHARE MODE"))
        waiting: list[Future[bool]] = [writer.store(told(number)) for number in range(50)]
        waiting += [writer.store(told(number)) for number in range(50)]
        with pytest.raises(NotYet):
            waiting[0].result(0.3)
        assert not any(one.done() for one in waiting)
    assert [one.result(20) for one in waiting] == [True] * 50 + [False] * 50
    assert stored(wiring) == 50
    assert len(commits) < 10


def test_one_that_cannot_be_stored_does_not_spoil_it_for_the_others(wiring: Wiring, writer: EventWriter) -> None:
    bad = replace(told(1), object_id="in_\x00")
    with wiring.database.connect() as other, other.begin():
        other.execute(text("LOCK TABLE events IN SHARE MODE"))
        waiting = [writer.store(one) for one in (told(0), bad, told(2), told(3))]
    assert [waiting[place].result(20) for place in (0, 2, 3)] == [True] * 3
    with pytest.raises((DataError, ValueError)):
        waiting[1].result(20)
    assert stored(wiring) == 3


def test_whatever_one_event_is_the_next_are_stored(wiring: Wiring, writer: EventWriter) -> None:
    with wiring.database.connect() as other, other.begin():
        other.execute(text("LOCK TABLE events IN SHARE MODE"))
        first = writer.store(told(0))
        while not first.running():  # it has a commit of its own, for which the others wait
            time.sleep(0.01)
        unencodable = writer.store(replace(told(1), object_id="in_\ud800"))
        hung_up = writer.store(told(2))
        assert hung_up.cancel()
        beside = writer.store(told(3))
    assert first.result(20)
    assert beside.result(20)
    with pytest.raises(UnicodeEncodeError):
        unencodable.result(20)
    assert writer.store(told(4)).result(20)
    assert stored(wiring) == 3


def test_a_database_that_is_away_is_told() -> None:
    away = connect("postgresql+psycopg://nobody@127.0.0.1:1/none")
    writer = EventWriter(away, machine_now)
    with pytest.raises(OperationalError):
        writer.store(told(0)).result(20)
    writer.close()
    away.dispose()


def test_a_flood_is_bounded(wiring: Wiring, writer: EventWriter) -> None:
    waiting: list[Future[bool]] = []

    def flood() -> None:
        for number in range(2 * (WAITING_MAX + GROUP_MAX)):
            waiting.append(writer.store(told(number)))

    with wiring.database.connect() as other, other.begin():
        other.execute(text("LOCK TABLE events IN SHARE MODE"))
        with pytest.raises(TooManyWaiting):
            flood()
    assert all(one.result(30) for one in waiting)
    assert stored(wiring) == len(waiting) <= WAITING_MAX + GROUP_MAX
