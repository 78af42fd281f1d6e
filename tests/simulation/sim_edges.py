"""The database with edges: a worker may die, or others may act, between any two transactions. Real PostgreSQL underneath."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from sim_faults import Crashed, Faults
from sqlalchemy import Connection, Engine

FROZEN_SECONDS = 3000.0
"""The longest sleep of a worker: thrice the longest lease, so that others take over and end what it began."""


@dataclass
class EdgedDatabase:
    """Passes for an Engine where the engine room uses one: ``begin`` and ``connect``."""

    engine: Engine
    faults: Faults
    say: Callable[[str], None]
    meanwhile: Callable[[str, float], None]

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction; the worker may die before it, just before its commit, or right after it."""
        self._die("before a transaction")
        with self.engine.begin() as connection:
            yield connection
            self._die("before a commit")
        self._die("after a commit")
        if self.faults.strikes("frozen"):
            self.say("  FROZEN after a commit")
            self.meanwhile("frozen", FROZEN_SECONDS)
        elif self.faults.strikes("meanwhile"):
            self.meanwhile("after a commit", 20)

    def connect(self) -> AbstractContextManager[Connection]:
        """A connection for reading, without a transaction around each question: nothing is to be seen twice alike."""
        return self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def _die(self, where: str) -> None:
        # A third each, so that a transaction is not three times as deadly as a call.
        if self.faults.dice.of("edges").random() < 0.34 and self.faults.strikes("crash"):
            self.say(f"  CRASH {where}")
            raise Crashed
