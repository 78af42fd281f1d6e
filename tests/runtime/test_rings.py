"""Rings that wait: those of webhooks before no others, and those of a beat without workers without end."""

import pytest
from celery import Celery
from celery.beat import ScheduleEntry
from kombu.exceptions import OperationalError
from kombu.messaging import Producer

from recovery.runtime import celery_app
from recovery.runtime.celery_app import COURTESY, QUEUE, Beat, Bell, doorbell, make_app


def rung(broker_url: str) -> list[str]:
    """The bells that wait, in the order in which a worker hears them."""
    with make_app(broker_url, ring_seconds=3).connection_for_read() as connection:
        queue = connection.SimpleQueue(QUEUE)
        return [queue.get_nowait().headers["task"] for _ in range(queue.qsize())]


def test_a_flood_of_webhooks_keeps_nobody_from_what_is_due(valkey_url: str) -> None:
    """Each ring for events may hold a process for half a minute: behind thousands of them charges would wait for hours."""
    app = make_app(valkey_url, ring_seconds=3)
    web, beat = doorbell(app, priority=COURTESY), doorbell(app)
    for _ in range(50):
        web(Bell.EVENTS)
    for bell in (Bell.STEPS, Bell.SWEEP):
        beat(bell)
    heard = rung(valkey_url)
    assert len(heard) == 52
    assert heard[:2] == [Bell.STEPS, Bell.SWEEP]


def test_rings_of_webhooks_do_not_pile_up_for_ever_and_silence_nobody(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_app, "RINGS_MAX", 5)
    app = make_app(valkey_url, ring_seconds=3)
    for _ in range(9):
        doorbell(app, priority=COURTESY)(Bell.EVENTS)
    beat_rings(app, Bell.SWEEP, times=2)
    doorbell(app)(Bell.STEPS)
    assert rung(valkey_url) == [Bell.SWEEP] * 2 + [Bell.STEPS] + [Bell.EVENTS] * 5


@pytest.mark.parametrize("priority", [0, COURTESY])
def test_a_broker_that_is_away_is_told_as_such(priority: int) -> None:
    app = make_app("redis://127.0.0.1:1/0", ring_seconds=3)  # nobody listens there
    with pytest.raises(OperationalError):
        doorbell(app, priority=priority)(Bell.STEPS)


def test_without_workers_rings_do_not_pile_up_for_ever(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery_app, "RINGS_MAX", 5)
    app = make_app(valkey_url, ring_seconds=3)
    beat_rings(app, Bell.STEPS, times=9)
    assert rung(valkey_url) == [Bell.STEPS] * 5


def beat_rings(app: Celery, bell: Bell, *, times: int) -> None:
    celery_app.add_tasks(app, lambda: pytest.fail("nobody works here"))
    beat = Beat(app, lazy=True)
    entry = ScheduleEntry(name=bell, task=bell.value, schedule=3.0, app=app)
    with app.connection_for_write() as connection:
        for _ in range(times):
            beat.apply_entry(entry, producer=Producer(connection))  # type: ignore[no-untyped-call]
