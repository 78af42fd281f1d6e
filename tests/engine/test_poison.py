"""Poison: what always fails or ends its workers is set aside, and blocks nobody."""

import contextlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

import pytest
from building import Life
from sqlalchemy import select, text, update

from recovery.cases import facts
from recovery.cases.lifecycle import StepKind
from recovery.cases.obligation import Obligation
from recovery.engine.claims import FAILURES_MAX, Postponed, perform_due
from recovery.engine.sweep import UNENDED_MAX, sweep
from recovery.gateways.port import Gateway, NotFound
from recovery.intake.events import Intake
from recovery.runtime.clock import machine_now
from recovery.storage import tables
from recovery.storage.aside_store import replay_steps, steps_set_aside
from recovery.storage.backlog_queries import backlog
from recovery.storage.event_store import StoredEvent, event_counts, events_set_aside, replay_set_aside, store_event
from recovery.storage.lease_store import extend_leases
from recovery.storage.overdue_store import overdue_count, overdue_steps
from recovery.storage.step_store import ClaimedStep, claim_steps


class Killed(BaseException):
    """The worker is gone at this very point."""


@dataclass
class Performer:
    """Performs refreshes; what concerns the poisoned case ends the worker, or fails."""

    poison: str
    ends: type[BaseException]
    lease_seconds: float = 60.0
    seen: list[str] = field(default_factory=list)

    def __call__(self, step: ClaimedStep) -> None:
        self.seen.append(step.case_id)
        if step.case_id == self.poison:
            raise self.ends("poison")


def time_passes(life: Life) -> None:
    """The machine's clock goes on until every lease and hold has ended."""
    with life.wiring.database.begin() as tx:
        past = machine_now() - timedelta(seconds=1)
        tx.execute(update(tables.steps).where(tables.steps.c.state == "in_flight").values(lease_until=past))
        tx.execute(update(tables.steps).values(hold_until=None))
        tx.execute(update(tables.events).where(tables.events.c.state == "waiting").values(hold_until=past))


def row(life: Life, case_id: str) -> dict[str, object]:
    query = select(tables.steps).where(tables.steps.c.case_id == case_id, tables.steps.c.kind == "refresh_card")
    with life.wiring.database.connect() as tx:
        return dict(tx.execute(query).mappings().one())


def ring(life: Life, performer: Performer) -> None:
    with contextlib.suppress(Killed):  # its process is gone; another one rings next
        perform_due(life.door, {StepKind.REFRESH_CARD: performer}, batch=10, threads=1)


def test_a_step_that_ends_its_workers_takes_no_other_with_it(life: Life) -> None:
    poison = life.fail("in_0")
    good = [life.fail(f"in_{number}") for number in range(1, 4)]
    performer = Performer(poison, Killed)
    for _ in range(UNENDED_MAX + 6):
        ring(life, performer)
        time_passes(life)
        sweep(life.door)
        time_passes(life)
    assert performer.seen.count(poison) == UNENDED_MAX
    assert set(performer.seen) == {poison, *good}
    assert row(life, poison)["set_aside_at"] is not None
    with life.wiring.database.connect() as tx:
        (aside,) = steps_set_aside(tx, limit=10)
        assert aside.case_id == poison
        assert "never ended" in aside.error
        assert backlog(tx, moment=life.door.moment()).set_aside == 1
    for case_id in good:
        assert row(life, case_id)["set_aside_at"] is None
    with life.wiring.database.begin() as tx:
        assert replay_steps(tx, poison) == 1
    seen = len(performer.seen)
    ring(life, performer)
    assert performer.seen[seen:].count(poison) == 1


def test_a_suspect_rests_longer_each_time_so_that_a_bad_minute_of_the_machine_convicts_nobody(life: Life) -> None:
    poison = life.fail("in_0")
    rests = []
    for _ in range(UNENDED_MAX - 1):
        ring(life, Performer(poison, Killed))
        time_passes(life)
        sweep(life.door)
        held = row(life, poison)["hold_until"]
        assert isinstance(held, datetime)
        rests.append(round((held - machine_now()).total_seconds()))
        time_passes(life)
    assert rests == [0, 5, 10, 20]


def test_a_suspect_is_performed_alone_and_after_the_others(life: Life) -> None:
    poison = life.fail("in_0")
    with life.wiring.database.begin() as tx:
        tx.execute(update(tables.steps).where(tables.steps.c.case_id == poison).values(unended=2))
    good = [life.fail(f"in_{number}") for number in range(1, 4)]
    performer = Performer(poison, Killed)
    ring(life, performer)
    assert performer.seen == [*good, poison]


def test_a_step_that_always_fails_is_set_aside_with_its_error(life: Life) -> None:
    poison, good = life.fail("in_0"), life.fail("in_1")
    performer = Performer(poison, RuntimeError)
    for _ in range(FAILURES_MAX + 2):
        ring(life, performer)
        time_passes(life)
    assert performer.seen.count(poison) == FAILURES_MAX
    assert good in performer.seen
    found = row(life, poison)
    assert (found["failures"], found["error"]) == (FAILURES_MAX, "RuntimeError: poison")
    assert found["set_aside_at"] is not None


def test_news_of_the_case_replaces_what_was_set_aside(life: Life) -> None:
    poison = life.fail("in_0")
    performer = Performer(poison, RuntimeError)
    for _ in range(FAILURES_MAX):
        ring(life, performer)
        time_passes(life)
    life.tell(poison, facts.PaymentMethodChanged(event_id="evt_1", what="a card changed"))
    with life.wiring.database.connect() as tx:
        assert steps_set_aside(tx, limit=10) == []


def test_a_lease_is_renewed_only_while_it_is_ours(life: Life) -> None:
    life.fail("in_0")
    moment = life.door.moment()
    until = machine_now() + timedelta(hours=1)
    with life.wiring.database.begin() as tx:
        (step,) = claim_steps(tx, tuple(StepKind), moment=moment, limit=5, lease_seconds=0)
        assert extend_leases(tx, [step], until=until) == 1
        assert tx.execute(select(tables.steps.c.lease_until)).scalar_one() == until
        tx.execute(update(tables.steps).values(claims=step.claims + 1))
        assert extend_leases(tx, [step], until=until + timedelta(hours=1)) == 0


def test_what_cannot_be_taken_back_blocks_no_other(life: Life) -> None:
    first, second = life.fail("in_0"), life.fail("in_1")
    moment = life.door.moment()
    with life.wiring.database.begin() as tx:
        claim_steps(tx, tuple(StepKind), moment=moment, limit=5, lease_seconds=0)
        # A row as an older release may have left it: taking it back breaks on it.
        refuses = f"CHECK (case_id <> '{first}' OR state = 'in_flight')"
        tx.execute(text(f"ALTER TABLE steps ADD CONSTRAINT broken {refuses}"))
    time_passes(life)
    assert sweep(life.door) == 2
    assert row(life, first)["set_aside_at"] is not None
    assert "cannot be taken back" in str(row(life, first)["error"])
    assert row(life, second)["state"] == "planned"
    assert sweep(life.door) == 0


def event(number: int) -> StoredEvent:
    return StoredEvent(
        gateway="stripe",
        id=f"evt_{number}",
        kind="invoice.payment_failed",
        livemode=False,
        created_at=machine_now(),
        object_id=f"in_{number}",
        content={"invoice": f"in_{number}"},
        idempotency_key=None,
        caused_by_request=False,
    )


class Deadly:
    """A gateway whose answer about one invoice ends whoever reads it, or is a mistake; it knows no other invoice."""

    livemode = False
    call_bound_seconds = 10.0

    def __init__(self, ends: type[BaseException]) -> None:
        self.ends = ends
        self.read: list[str] = []

    def read_obligation(self, obligation: str) -> Obligation:
        self.read.append(obligation)
        if obligation == "in_0":
            raise self.ends("poison")
        raise NotFound(obligation)


@pytest.mark.parametrize(("ends", "told"), [(Killed, "never ended"), (RuntimeError, "RuntimeError: poison")])
def test_an_event_that_ends_its_workers_or_always_fails_is_set_aside(
    life: Life, ends: type[BaseException], told: str
) -> None:
    with life.wiring.database.begin() as tx:
        for number in range(4):
            store_event(tx, event(number), machine_now=machine_now())
    gateway = Deadly(ends)
    intake = Intake(life.door, cast(Gateway, gateway))
    for _ in range(FAILURES_MAX + 6):
        with contextlib.suppress(Killed):
            intake.process(batch=10)
        time_passes(life)
    assert gateway.read.count("in_0") == FAILURES_MAX
    assert set(gateway.read) == {"in_0", "in_1", "in_2", "in_3"}
    with life.wiring.database.connect() as tx:
        assert event_counts(tx) == {"waiting": 0, "set_aside": 1}
        (aside,) = events_set_aside(tx, limit=5)
        assert told in aside.detail
    with life.wiring.database.begin() as tx:
        assert replay_set_aside(tx) == 1
        assert event_counts(tx)["waiting"] == 1


def test_what_is_put_off_again_and_again_becomes_visible(life: Life) -> None:
    class Away:
        lease_seconds = 60.0

        def __call__(self, step: ClaimedStep) -> None:
            raise Postponed("the gateway does not answer", hold_seconds=30.0)

    case_id = life.fail("in_0")
    for _ in range(3):
        perform_due(life.door, {StepKind.REFRESH_CARD: Away()}, batch=10, threads=1)
        time_passes(life)
    assert (row(life, case_id)["failures"], row(life, case_id)["error"]) == (0, "the gateway does not answer")
    with life.wiring.database.connect() as tx:
        assert overdue_count(tx, moment=life.door.moment()) == 0
        life.at += timedelta(hours=3)
        assert overdue_count(tx, moment=life.door.moment()) == 1
        (late,) = overdue_steps(tx, moment=life.door.moment(), limit=5)
    assert (late.case_id, late.kind, late.detail) == (case_id, "refresh_card", "the gateway does not answer")
    life.refresh(case_id)
    with life.wiring.database.connect() as tx:
        assert overdue_steps(tx, moment=life.door.moment(), limit=5) == []
