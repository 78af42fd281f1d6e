"""Breaks things by a seed while the world plays, and measures how long it takes until work goes on."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import redis
from chaos_stack import Installation
from chaos_worker import POINTS
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

CONNECTIONS = 100
"""More than the embedded server allows: whoever comes next is refused."""

MEASURE_SECONDS = 90.0
WORKERS = ("worker1", "worker2")


@dataclass
class Agent:
    """``done`` counts what was broken, ``resumed`` how many seconds it took until a step was claimed again."""

    made: Installation
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    resumed: dict[str, list[float]] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.acts: dict[str, tuple[int, Callable[[], None]]] = {
            "kill worker": (6, self.kill_worker),
            "kill pool child": (6, self.kill_child),
            "named point": (8, self.arm),
            "kill beat": (2, lambda: self.made.kill(self.dice.choice(("beat1", "beat2")))),
            "kill web": (3, lambda: self.made.kill("web")),
            "flush broker": (3, self.flush),
            "kill broker": (2, self.kill_broker),
            "kill database": (2, self.kill_database),
            "cut database": (4, lambda: self.cut("database")),
            "cut broker": (3, lambda: self.cut("broker")),
            "cut gateway": (5, lambda: self.cut("gateway")),
            "exhaust database": (1, self.exhaust),
        }

    @property
    def kills(self) -> int:
        """Real kill -9: of our processes and of the servers."""
        return sum(count for what, count in self.done.items() if what.startswith(("kill", "died at")))

    def rage(self, seconds: float, pause: tuple[float, float]) -> None:
        """Break one thing after the other until the time is up; first one of each kind."""
        ends_at = time.monotonic() + seconds
        deck = list(self.acts)
        self.dice.shuffle(deck)
        names, weights = list(self.acts), [weight for weight, _ in self.acts.values()]
        while time.monotonic() < ends_at and not self.stop.is_set():
            self.act(deck.pop() if deck else self.dice.choices(names, weights=weights)[0])
            self.stop.wait(self.dice.uniform(*pause))

    def act(self, name: str) -> None:
        """Break one thing."""
        self.acts[name][1]()
        self.done[name] += name not in ("named point", "kill pool child")  # these count what came of them

    def kill_child(self) -> None:
        self.done["kill pool child"] += self.made.kill_child(self.dice.choice(WORKERS))

    def arm(self) -> None:
        """Let whoever comes to a point next die there."""
        point = self.dice.choice(POINTS)
        folder = self.made.home / "points"
        armed = folder / f"{point}.new"
        armed.write_text(self.dice.choice(("child", "worker")))
        armed.rename(folder / point)

    def count_deaths(self) -> None:
        """What the named points brought about."""
        for mark in (self.made.home / "points").glob("*.*"):
            self.done[f"died at {mark.stem}"] += 1

    def flush(self) -> None:
        with contextlib.suppress(redis.RedisError), redis.Redis.from_url(self.made.valkey.direct_url) as client:
            client.flushall()

    def kill_broker(self) -> None:
        self.made.valkey.kill()
        time.sleep(self.dice.uniform(0.1, 1.0))
        self.made.valkey.start()
        self.measure("broker")

    def kill_database(self) -> None:
        self.made.postgres.kill()
        time.sleep(self.dice.uniform(0.0, 0.5))
        self.made.postgres.start()
        self.measure("database")

    def cut(self, what: str) -> None:
        proxies = {
            "database": self.made.postgres_proxy,
            "broker": self.made.valkey_proxy,
            "gateway": self.made.gateway_proxy,
        }
        proxies[what].cut()

    def exhaust(self) -> None:
        """Take every connection the server has, for a moment."""
        url = self.made.postgres.direct_url.replace("+psycopg", "")
        taken = []
        with contextlib.suppress(psycopg.OperationalError):
            for _ in range(CONNECTIONS):
                taken.append(psycopg.connect(url, connect_timeout=2))
        time.sleep(0.5)
        for connection in taken:
            connection.close()

    def kill_worker(self) -> None:
        """kill -9 of a whole worker; how long until everything it had begun is in other hands, by nobody's ring but beat's."""
        self.made.kill(self.dice.choice(WORKERS))
        began = time.monotonic()
        self.made.quiet_until = began + MEASURE_SECONDS
        held = self._ask(_IN_FLIGHT, set())
        while held and time.monotonic() - began < MEASURE_SECONDS:
            time.sleep(0.05)
            held &= self._ask(_IN_FLIGHT, held)
            if not held:
                self._note("worker", time.monotonic() - began)
        self.made.quiet_until = 0.0

    def measure(self, what: str) -> None:
        """Seconds from the first due step on until one is claimed, by nobody's ring but beat's."""
        back = time.monotonic()
        self.made.quiet_until = back + MEASURE_SECONDS
        before = self._claims()
        due_since = back if self._due() else None
        while time.monotonic() - back < MEASURE_SECONDS and not self.stop.is_set():
            if self._claims() != before:
                if due_since is not None:
                    self._note(what, time.monotonic() - due_since)
                break
            if due_since is None and self._due():
                due_since = time.monotonic()
            time.sleep(0.02)
        self.made.quiet_until = 0.0

    def _note(self, what: str, seconds: float) -> None:
        self.resumed.setdefault(what, []).append(round(seconds, 2))

    def _claims(self) -> set[tuple[Any, ...]]:
        return self._ask("SELECT coalesce(sum(claims), 0) FROM steps", set())

    def _due(self) -> bool:
        return self._ask(_DUE, set()) != {(0,)}

    def _ask(self, query: str, otherwise: set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
        try:
            with self.made.database.connect() as tx:
                return {tuple(row) for row in tx.execute(text(query), {"now": self.made.clock.now()})}
        except SQLAlchemyError:
            return otherwise


_IN_FLIGHT = "SELECT id, claims FROM steps WHERE state = 'in_flight'"
_DUE = (
    "SELECT count(*) FROM steps WHERE state = 'planned' AND due_at <= :now AND set_aside_at IS NULL"
    " AND (hold_until IS NULL OR hold_until <= now())"
)
