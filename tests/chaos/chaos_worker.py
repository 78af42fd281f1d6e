"""The worker of production with named points at which it is killed: just before a commit or a call nobody could hit by chance.

A point is a file in the folder CHAOS_POINTS; whoever renames it dies there. Its content says whether the pool child dies alone.
"""

import os
import signal
import threading
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine, event

from recovery.cases.answers import Answer
from recovery.cases.obligation import Obligation
from recovery.cases.wallet import Wallet
from recovery.gateways.port import ChargeOrder, Gateway
from recovery.runtime import celery_app
from recovery.runtime.cli.operate import worker
from recovery.runtime.wiring import Wiring

POINTS = ("before_intent", "after_intent", "after_charge", "before_recording")
_at = threading.local()


def die_at(point: str) -> None:
    """End this process, and for a whole worker its parent, if the point is armed."""
    armed = Path(os.environ["CHAOS_POINTS"]) / point
    mine = armed.with_suffix(f".{os.getpid()}")
    try:
        armed.rename(mine)
    except FileNotFoundError:
        return
    if mine.read_text() == "worker":
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


class MinedGateway:
    """The real gateway; only the moments around a charge are told."""

    def __init__(self, real: Gateway) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def read_owed(self, obligation: str) -> tuple[Obligation, Wallet]:
        found = self._real.read_owed(obligation)
        _at.next_commit = "before_intent"
        return found

    def charge(self, order: ChargeOrder) -> Answer:
        die_at("after_intent")
        answer = self._real.charge(order)
        die_at("after_charge")
        _at.next_commit = "before_recording"
        return answer


class MinedWiring(Wiring):
    """The wiring of production around the mined gateway."""

    @cached_property
    def gateway(self) -> Gateway:
        return cast(Gateway, MinedGateway(cast(Gateway, Wiring.gateway.func(self))))  # type: ignore[attr-defined]

    @cached_property
    def database(self) -> Engine:
        engine: Engine = Wiring.database.func(self)  # type: ignore[attr-defined]

        @event.listens_for(engine, "commit")
        def _before_commit(_: Any) -> None:
            point, _at.next_commit = getattr(_at, "next_commit", None), None
            if point is not None:
                die_at(point)

        return engine


if __name__ == "__main__":
    vars(celery_app)["Wiring"] = MinedWiring
    worker()
