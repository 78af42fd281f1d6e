"""Each fault by which Celery on Redis was seen to lose work or to do it twice, met once for certain: while a charge is under way.

The random rounds meet most of them, some time; here each has its name, and what it did to Celery alone.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
import redis
from chaos_agent import WORKERS
from chaos_judge import judge
from chaos_stack import Installation, Scale, end_of, installation
from sqlalchemy import text

from recovery.runtime.celery_app import Bell, doorbell, make_app

WITHIN_SECONDS = 60.0
"""The work of whoever died is taken up in this time."""

CHARGE_SECONDS = 2.0
RINGS = 20
BEATS = ("beat1", "beat2")
Found = TypeVar("Found")


class Charging:
    """An installation whose clock runs by itself, and whose gateway takes its time over each charge."""

    def __init__(self, made: Installation, played: "Future[None]") -> None:
        self.made = made
        self._played = played

    def under_way(self) -> str:
        """Wait for a charge that has reached the gateway and is not answered; its key."""
        return self._until(lambda: next(iter(self._in_flight() & self.noted("called").keys()), None), "a charge")

    def settled(self, key: str) -> None:
        """Wait until the case knows what became of it."""
        asked = text("SELECT 1 FROM attempts WHERE id = :key AND status IN ('declined', 'needs_customer', 'succeeded')")
        self._until(lambda: self._asked(asked, key=key), f"the outcome of {key}")

    def noted(self, what: str) -> dict[str, int]:
        """How often the gateway saw each call or delivered each event."""
        found: dict[str, int] = {}
        for line in self.made.seen_file.read_text().splitlines():
            note = json.loads(line)
            if note["what"] == what:
                name = note["key" if what == "called" else "event"]
                found[name] = found.get(name, 0) + 1
        return found

    def pids(self, *names: str) -> list[int]:
        """Who plays these duties."""
        return [self.made.running[name].pid for name in names]

    def kill_workers(self, *, whole: bool) -> None:
        """kill -9 of all pool children, and of the workers themselves."""
        for name in WORKERS:
            main = self.made.running[name].pid
            for process in sorted(self.made.running[name].tree(), key=lambda one: one.pid == main):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if whole or process.pid != main:
                        process.kill()
            if whole:
                self.made.start(name)

    def flush(self) -> None:
        """FLUSHALL."""
        with redis.Redis.from_url(self.made.valkey.direct_url) as client:
            client.flushall()

    def ring(self, times: int) -> None:
        """As messages that were redelivered would: again and again, all at once."""
        app = make_app(self.made.valkey.url, ring_seconds=1.0)
        for _ in range(times):
            for bell in (Bell.STEPS, Bell.EVENTS, Bell.SWEEP):
                doorbell(app)(bell)
        app.close()

    def webhooks_come(self) -> None:
        """Wait until some more were delivered and answered."""
        before = self.noted("accepted").keys()
        self._until(lambda: self.noted("accepted").keys() - before, "a webhook that is taken")

    def _in_flight(self) -> set[str]:
        with self.made.database.connect() as tx:
            return set(tx.execute(text("SELECT id FROM attempts WHERE status = 'in_flight'")).scalars())

    def _asked(self, question: Any, **values: str) -> bool:
        with self.made.database.connect() as tx:
            return tx.execute(question, values).first() is not None

    def _until(self, found: Callable[[], Found | None], what: str) -> Found:
        ends_at = time.monotonic() + WITHIN_SECONDS
        while not (it := found()):
            if self._played.done():
                self._played.result()
                pytest.fail(f"the world ended without {what}")
            assert time.monotonic() < ends_at, f"{WITHIN_SECONDS:.0f} s without {what}"
            time.sleep(0.02)
        return it


@contextmanager
def charging(made: Installation) -> Iterator[Charging]:
    """The world goes on beside the block, and afterwards to its end."""
    with ThreadPoolExecutor(1) as pool:
        made.world.faults({"probabilities": {"slow": 1.0}, "seconds": {"slow": CHARGE_SECONDS}})
        played = pool.submit(made.play, end_of(made.scale))
        try:
            yield Charging(made, played)
        finally:
            made.world.faults({"probabilities": {}})
            played.result()


def child_dies(house: Charging) -> None:
    """Celery alone: lost, or with reject_on_worker_lost executed again."""
    house.kill_workers(whole=False)


def worker_dies(house: Charging) -> None:
    """Celery alone: lost, or with acks_late done again after a minute and a half."""
    house.kill_workers(whole=True)


def connection_breaks(house: Charging) -> None:
    """Celery alone: executed twice, as an acks_late task is handed out again."""
    assert house.made.valkey_proxy.cut()


def message_comes_again(house: Charging) -> None:
    """Celery alone: six executions of a countdown longer than the visibility timeout, with two workers."""
    house.ring(RINGS)


def broker_forgets(house: Charging) -> None:
    """Celery alone: the message is dropped silently, and beat's store is gone, which ended redbeat."""
    beats = house.pids(*BEATS)
    house.flush()
    time.sleep(2 * house.made.scale.ring_seconds)
    assert house.pids(*BEATS) == beats
    assert all(psutil.pid_exists(pid) for pid in beats)


def broker_restarts(house: Charging) -> None:
    """Celery alone: publishing raises, what was under way is lost with the broker's memory."""
    house.made.valkey.kill()
    try:
        house.webhooks_come()  # which ring a bell that nobody hears
    finally:
        house.made.valkey.start()


def test_no_fault_of_the_transport_loses_a_charge_or_makes_it_twice(tmp_path: Path) -> None:
    scale = Scale(seed=5, customers=12, days=12)
    faults = (child_dies, worker_dies, connection_breaks, message_comes_again, broker_forgets, broker_restarts)
    with installation(tmp_path, scale) as made:
        with charging(made) as house:
            for fault in faults:
                key = house.under_way()
                t = time.monotonic()
                fault(house)
                t2 = time.monotonic()
                house.settled(key)
                print(fault.__name__, t2 - t, time.monotonic() - t2, time.monotonic(), made.clock.now())
                assert house.noted("called")[key] == 1, f"{fault.__name__}: sent again"
        assert judge(made) == []
