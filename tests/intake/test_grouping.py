"""Webhooks that arrive together share a commit; nobody is answered before his, and no bad one spoils it for the others."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import pytest
from building import wired
from sqlalchemy import event, text
from sqlalchemy.exc import DataError, OperationalError

from recovery.intake.grouping import WAITING_MAX, EventWriter, TooManyWaiting
from recovery.runtime.clock import machine_now
from recovery.runtime.wiring import Wiring
from recovery.storage.connect import connect
from recovery.storage.event_store import StoredEvent


@pytest.fixture
def wiring(database_url: str) -> Iterator[Wiring]:
    with wired(database_url) as made:
        yield made


@asynccontextmanager
async def writing(wiring: Wiring) -> AsyncIterator[EventWriter]:
    made = EventWriter(wiring.database, machine_now)
    yield made
    await made.close()


@contextmanager
def held_up(wiring: Wiring) -> Iterator[None]:
    """Nothing can be stored inside."""
    with wiring.database.connect() as other, other.begin():
        other.execute(text("LOCK TABLE events IN SHARE MODE"))
        yield


async def begun(*storing: Coroutine[object, object, bool]) -> "list[asyncio.Task[bool]]":
    """Under way, in this order."""
    tasks = [asyncio.create_task(one) for one in storing]
    await asyncio.sleep(0)
    return tasks


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


def test_nobody_is_answered_before_the_commit_and_many_share_one(wiring: Wiring) -> None:
    statements: list[str] = []
    event.listen(wiring.database, "before_cursor_execute", lambda *said: statements.append(said[2]))

    async def play() -> list[bool]:
        async with writing(wiring) as writer:
            with held_up(wiring):
                numbers = [*range(50), *range(50)]
                waiting = await begun(*(writer.store(told(number)) for number in numbers))
                await asyncio.sleep(0.3)
                assert not any(one.done() for one in waiting)
            return await asyncio.gather(*waiting)

    assert asyncio.run(play()) == [True] * 50 + [False] * 50
    assert stored(wiring) == 50
    assert sum("INSERT" in one for one in statements) <= 2


@pytest.mark.parametrize("name", ["in_\x00", "in_\ud800"])
def test_one_that_cannot_be_stored_does_not_spoil_it_for_the_others(wiring: Wiring, name: str) -> None:
    bad = replace(told(1), object_id=name)

    async def play() -> list[bool | BaseException]:
        async with writing(wiring) as writer:
            with held_up(wiring):
                waiting = await begun(*(writer.store(one) for one in (told(0), told(2), bad, told(3))))
            return await asyncio.gather(*waiting, return_exceptions=True)

    first, second, refused, last = asyncio.run(play())
    assert (first, second, last) == (True, True, True)
    assert isinstance(refused, DataError)
    assert stored(wiring) == 3


def test_who_hung_up_is_let_go_and_the_next_are_stored(wiring: Wiring) -> None:
    async def play() -> None:
        async with writing(wiring) as writer:
            with held_up(wiring):
                # The first has a commit of its own, for which the others wait.
                first, hung_up, beside = await begun(*(writer.store(told(number)) for number in range(3)))
                hung_up.cancel()
            assert await first
            assert await beside
            assert hung_up.cancelled()
            assert await writer.store(told(4))

    asyncio.run(play())
    assert stored(wiring) == 3


def test_whatever_an_event_is_the_next_are_stored(wiring: Wiring) -> None:
    async def play() -> None:
        async with writing(wiring) as writer:
            with pytest.raises(TypeError):
                await writer.store(replace(told(0), content={"customer": object()}))
            assert await writer.store(told(1))

    asyncio.run(play())
    assert stored(wiring) == 1


def test_a_database_that_is_away_is_told() -> None:
    away = connect("postgresql+psycopg://nobody@127.0.0.1:1/none")

    async def play() -> None:
        writer = EventWriter(away, machine_now)
        with pytest.raises(OperationalError):
            await writer.store(told(0))
        await writer.close()

    asyncio.run(play())
    away.dispose()


def test_a_flood_is_bounded(wiring: Wiring) -> None:
    async def play() -> list[bool | BaseException]:
        async with writing(wiring) as writer:
            with held_up(wiring):
                waiting = await begun(*(writer.store(told(number)) for number in range(2 * WAITING_MAX)))
            return await asyncio.gather(*waiting, return_exceptions=True)

    outcomes = asyncio.run(play())
    kept = outcomes.count(True)
    assert kept == stored(wiring) == WAITING_MAX + 1
    assert all(isinstance(one, TooManyWaiting) for one in outcomes if one is not True)
