"""Whoever has to wait for somebody else's lock is not poison, however often: a table may be locked for minutes, as by a migration."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from building import Life, stored_event, wired
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from recovery.cases.facts import PaymentMethodChanged
from recovery.cases.lifecycle import State, StepKind
from recovery.engine.advance import advance
from recovery.engine.claims import perform_due
from recovery.engine.door import Door
from recovery.engine.sweep import sweep
from recovery.intake.events import Intake
from recovery.storage.event_store import event_counts, store_event
from recovery.storage.step_store import ClaimedStep

TIMES = 8
"""More often than anything may fail."""


@pytest.fixture
def life(database_url: str) -> Iterator[Life]:
    with wired(database_url) as wiring:
        event.listen(wiring.database, "connect", _impatient)
        yield Life(wiring)


def _impatient(connection: object, _record: object) -> None:
    connection.execute("SET lock_timeout = '50ms'")  # type: ignore[attr-defined]
    connection.commit()  # type: ignore[attr-defined]


@contextmanager
def locked(life: Life) -> Iterator[None]:
    with life.wiring.database.begin() as tx:
        tx.execute(text("LOCK TABLE cases IN EXCLUSIVE MODE"))
        yield


def door_at(life: Life, machine_now: datetime) -> Door:
    return replace(life.door, machine_clock=lambda: machine_now)


def test_an_event_waits_for_a_locked_table(life: Life) -> None:
    case_id = life.fail("in_1")
    now = life.door.machine_clock()
    with life.wiring.database.begin() as tx:
        store_event(tx, replace(stored_event(), kind="invoice.voided"), machine_now=now)
    with locked(life):
        for turn in range(TIMES):
            with pytest.raises(OperationalError):
                Intake(door_at(life, now + timedelta(minutes=turn)), life.wiring.gateway).process(batch=10)
    Intake(door_at(life, now + timedelta(minutes=TIMES)), life.wiring.gateway).process(batch=10)
    with life.wiring.database.connect() as tx:
        assert event_counts(tx) == {"waiting": 0, "set_aside": 0}
    assert life.case(case_id).state is State.WITHDRAWN


@dataclass(frozen=True)
class Tells:
    """A performer that has something to say to its case."""

    door: Door
    lease_seconds: float = 30.0

    def __call__(self, step: ClaimedStep) -> None:
        advance(self.door, step.case_id, PaymentMethodChanged(event_id="evt_1", what="card changed"), step=step)


def test_a_step_waits_for_a_locked_table(life: Life) -> None:
    case_id = life.fail("in_1")
    now = life.door.machine_clock()
    with locked(life):
        for turn in range(TIMES):
            door = door_at(life, now + timedelta(hours=turn))
            sweep(door)
            with pytest.raises(OperationalError):
                perform_due(door, {StepKind.REFRESH_CARD: Tells(door)}, batch=10, threads=1)
    door = door_at(life, now + timedelta(hours=TIMES))
    sweep(door)
    assert perform_due(door, {StepKind.REFRESH_CARD: Tells(door)}, batch=10, threads=1) == 1
    assert life.case(case_id).step(StepKind.REFRESH_CARD) is not None
