"""The same customers through the engine, on a real database and over HTTP, and through the backtest: the same decisions."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from building import CONFIG, wired
from conftest import SmtpCatcher
from parity import decided_alike

from recovery.engine.claims import perform_due
from recovery.gateways.stripe.notices import notice_of
from recovery.intake.idle import is_idle
from recovery.intake.receive import event_of
from recovery.runtime.clock import SharedClock, machine_now
from recovery.runtime.wiring import EVENT_KINDS, Wiring
from recovery.runtime.worlds import START_AT, load_world, world_names
from recovery.simulation.sandbox import Sandbox
from recovery.simulation.sandbox.server import serve_sandbox
from recovery.simulation.world import build_world
from recovery.storage.backlog_queries import busy_until
from recovery.storage.connect import at_once, reading
from recovery.storage.event_store import store_events

DAYS = 40
CUSTOMERS = int(os.environ.get("RECOVERY_PARITY_CUSTOMERS", "40"))
"""In each of the worlds; `make parity` plays more."""
HELD_SECONDS = 0.02
ENDS_AT = START_AT + timedelta(days=DAYS)


@dataclass(slots=True)
class Stage:
    """Engine and sandbox in one process, driven from one due instant to the next as the demo's driver does."""

    sandbox: Sandbox
    wiring: Wiring
    clock: SharedClock
    catcher: SmtpCatcher
    mails: int = 0
    events: int = 0

    def run(self) -> None:
        while (due_at := self._next()) is not None and due_at <= ENDS_AT:
            self.clock.set(due_at)
            self.sandbox.play(due_at)
            while self._take_events() + self.wiring.process_events() + self._perform() + self._read_mail():
                pass

    def _next(self) -> datetime | None:
        with reading(self.wiring.database) as tx:
            busy, ours = busy_until(tx, now=self.clock.now())
        if busy:  # held back for a while of the machine's time
            time.sleep(HELD_SECONDS)
            return self.clock.now()
        theirs = self.sandbox.core.agenda.next_due_at
        return min((at for at in (ours, theirs) if at is not None), default=None)

    def _take_events(self) -> int:
        """Every event of the sandbox since the last look, verified by nobody but otherwise as a webhook brings it."""
        store = self.sandbox.core.store
        with store.lock:
            fresh = store.count("event") - self.events
            notices = [notice_of(event) for event in islice(store.newest("event"), fresh)][::-1]
        self.events += fresh
        ours = [one for one in notices if one.kind in EVENT_KINDS and not is_idle(one.kind, one.content)]
        if ours:
            with at_once(self.wiring.database) as tx:
                store_events(tx, [event_of(one, "stripe") for one in ours], machine_now=machine_now())
        return fresh

    def _perform(self) -> int:
        return perform_due(self.wiring.door, self.wiring.performers, batch=50, threads=1)

    def _read_mail(self) -> int:
        fresh = self.catcher.messages[self.mails :]
        self.mails += len(fresh)
        for caught in fresh:
            assert self.sandbox.mail(caught.recipients[0])
        return len(fresh)


@pytest.fixture
def stage(database_url: str, smtp_catcher: SmtpCatcher, tmp_path: Path) -> Iterator[Stage]:
    clock = SharedClock(tmp_path / "clock")
    clock.set(START_AT)
    sandbox = Sandbox(now=clock.now)
    with serve_sandbox(sandbox) as url:
        settings: dict[str, Any] = {
            "stripe_api_base": url,
            "stripe_secret_key": sandbox.secret_key,
            "clock_file": tmp_path / "clock",
            "smtp_host": smtp_catcher.host,
            "smtp_port": smtp_catcher.port,
            "smtp_security": "none",
        }
        with wired(database_url, **settings) as wiring:
            yield Stage(sandbox=sandbox, wiring=wiring, clock=clock, catcher=smtp_catcher)


@pytest.mark.parametrize("name", world_names(CONFIG))
def test_engine_and_backtest_decide_alike(stage: Stage, name: str) -> None:
    world = build_world(seed=7, customers=CUSTOMERS, days=DAYS, start_at=START_AT, parameters=load_world(CONFIG, name))
    stage.sandbox.inhabit(world)
    stage.run()
    decided_alike(stage.wiring.database, world, until=ENDS_AT)
