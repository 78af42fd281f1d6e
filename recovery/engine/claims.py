"""Claims due steps and hands each to its performer. Without bounded claims one slow gateway would let leases run out in a queue."""

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from recovery.cases.facts import ObligationMissing
from recovery.cases.lifecycle import StepKind
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.engine.leases import Keeper
from recovery.gateways.port import NotFound
from recovery.storage.aside_store import set_aside
from recovery.storage.attempt_store import attempt_of_step
from recovery.storage.connect import OUR_MISTAKES, reading, waited_in_vain
from recovery.storage.email_store import email_of_step
from recovery.storage.flag_store import CHARGING_HALTED, is_raised
from recovery.storage.lease_store import extend_leases, release_step
from recovery.storage.moment import Moment
from recovery.storage.step_store import ClaimedStep, claim_steps, due_kinds

log = structlog.get_logger(__name__)

BACKOFF_SECONDS_FIRST = 5.0
BACKOFF_SECONDS_MAX = 3600.0
"""A step that failed waits 5 s, then twice as long each time, an hour at most: never a busy loop."""

REFILL_SHARE = 8
"""New steps are claimed when an eighth of the threads is free: a claim for each single one would cost as much as performing it."""

REFILL_SECONDS = 20.0
"""So long a batch takes up new steps: then other kinds have their turn, and the task ends long before its time limit."""

FAILURES_MAX = 5
"""A step that failed this often is set aside for a person: what fails so often fails for ever. It is never dropped."""


class Performer(Protocol):
    """Performs one step under its lease, outside any transaction, and ends it through ``advance``."""

    @property
    def lease_seconds(self) -> float:
        """How long one performance may take at the very most."""
        ...

    def __call__(self, step: ClaimedStep) -> None:
        """Perform the step. Raises Postponed to try later without counting a failure."""
        ...


@runtime_checkable
class Paced(Protocol):
    """A performer whose steps are taken up at a pace that all workers share."""

    def places(self, tx: Connection, *, wanted: int, moment: Moment) -> int:
        """How many steps may be taken up now."""
        ...


class Postponed(Exception):
    """The step cannot be performed now for an outside reason; it goes back to planned for a while (machine seconds)."""

    def __init__(self, detail: str, *, hold_seconds: float, due_in: timedelta | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hold_seconds = hold_seconds
        self.due_in = due_in


def perform_due(
    door: Door, performers: Mapping[StepKind, Performer], *, batch: int, threads: int, keeper: Keeper | None = None
) -> int:
    """Claim at most ``batch`` due steps of each kind and perform them, ``threads`` at a time; returns how many were claimed.

    With several threads no more is claimed than is begun at once, and further steps as threads come free: so a lease covers one
    performance, and no slow one keeps the others waiting. One thread claims the batch at once, under leases for all of it. With a
    keeper leases are short and renewed. A suspect, begun twice and never ended, is performed alone, after the others.
    """
    done = 0
    with reading(door.database) as tx:
        due, suspected = due_kinds(tx, moment=door.moment())
    for kind, performer in performers.items():
        if kind in due:
            done += _batch(door, kind, performer, batch=batch, threads=threads, keeper=keeper)
    for kind, performer in performers.items():
        if kind in suspected:
            done += _batch(door, kind, performer, batch=1, threads=1, keeper=keeper, suspects=True)
    return done


def _batch(
    door: Door,
    kind: StepKind,
    performer: Performer,
    *,
    batch: int,
    threads: int,
    keeper: Keeper | None,
    suspects: bool = False,
) -> int:
    whole = performer.lease_seconds * (batch if threads == 1 else 1)
    lease = whole if keeper is None else min(keeper.lease_seconds, whole)
    under_way: dict[int, ClaimedStep] = {}
    closes_at = door.machine_clock() + timedelta(seconds=REFILL_SECONDS)

    def claim(most: int) -> list[ClaimedStep]:
        if door.machine_clock() >= closes_at:
            return []
        found = _claim(door, kind, performer, batch=most, lease_seconds=lease, whole_seconds=whole, suspects=suspects)
        under_way.update({step.id: step for step in found})
        return found

    def perform(step: ClaimedStep) -> None:
        try:
            _perform(door, performer, step)
        finally:
            del under_way[step.id]  # from here on its lease may lapse: whatever is left of it belongs to the sweep

    def extend(tx: Connection, until: datetime) -> None:
        extend_leases(tx, tuple(under_way.values()), until=until)

    claimed = claim(min(batch, threads) if threads > 1 else batch)
    if not claimed:
        return 0
    most_seconds = whole + (REFILL_SECONDS if threads > 1 else 0.0)
    with nullcontext() if keeper is None else keeper.keeping(door, extend, most_seconds=most_seconds):
        if threads > 1 and len(claimed) > 1:
            return _rolling(claimed, claim, perform, batch=batch, threads=threads)
        for step in claimed:
            perform(step)
    return len(claimed)


def _rolling(
    claimed: list[ClaimedStep],
    claim: Callable[[int], list[ClaimedStep]],
    perform: Callable[[ClaimedStep], None],
    *,
    batch: int,
    threads: int,
) -> int:
    """Perform what was claimed and claim more as threads come free, until the batch is full or nothing is due; how many it were."""
    total, more_is_due = len(claimed), len(claimed) == threads
    with ThreadPoolExecutor(max_workers=threads) as pool:
        running = {pool.submit(perform, step) for step in claimed}
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for one in ended:
                one.result()
            room = min(threads - len(running), batch - total)
            if more_is_due and room >= min(max(1, threads // REFILL_SHARE), batch - total) > 0:
                found = claim(room)
                more_is_due = len(found) == room
                total += len(found)
                running |= {pool.submit(perform, step) for step in found}
    return total


def _claim(
    door: Door,
    kind: StepKind,
    performer: Performer,
    *,
    batch: int,
    lease_seconds: float,
    whole_seconds: float,
    suspects: bool,
) -> list[ClaimedStep]:
    moment = door.moment()
    with door.database.begin() as tx:
        if kind is StepKind.CHARGE_CARD and is_raised(tx, CHARGING_HALTED):
            return []
        limit = performer.places(tx, wanted=batch, moment=moment) if isinstance(performer, Paced) else batch
        if not limit:
            return []
        claimed = claim_steps(tx, (kind,), moment=moment, limit=limit, lease_seconds=lease_seconds, suspects=suspects)
    # A performer asks how long it may go on, renewals included, not how long the row's claim lasts without them.
    until = moment.machine_now + timedelta(seconds=whole_seconds)
    return [replace(step, lease_until=until) for step in claimed]


def _perform(door: Door, performer: Callable[[ClaimedStep], None], step: ClaimedStep) -> None:
    try:
        _perform_or_ask(door, performer, step)
    except Postponed as postponed:
        _give_back(door, step, postponed.hold_seconds, detail=postponed.detail, postponed=postponed)
    except OUR_MISTAKES as error:
        log.exception("step_failed", case=step.case_id, step=step.id, kind=step.kind.value)
        _failed(door, step, error)
    except SQLAlchemyError as error:
        log.warning("database_trouble", case=step.case_id, step=step.id, error=type(error).__name__)
        if waited_in_vain(error):
            # Not to be counted as a claim that nobody ended: after five of them it would pass for what ends its workers.
            busy = Postponed("others held what it needs in the database", hold_seconds=BACKOFF_SECONDS_FIRST)
            with suppress(SQLAlchemyError):
                _give_back(door, step, busy.hold_seconds, detail=busy.detail, postponed=busy)
        raise
    except Exception as error:
        log.exception("step_failed", case=step.case_id, step=step.id, kind=step.kind.value)
        _failed(door, step, error)


def _perform_or_ask(door: Door, performer: Callable[[ClaimedStep], None], step: ClaimedStep) -> None:
    """What is gone at the gateway comes back never: not a failure to be repeated, but a matter for a person."""
    try:
        performer(step)
    except NotFound as gone:
        log.error("obligation_missing", case=step.case_id, step=step.id, kind=step.kind.value)
        advance(door, step.case_id, ObligationMissing(step_id=step.id, detail=str(gone)), step=step)


def _failed(door: Door, step: ClaimedStep, error: Exception) -> None:
    hold = min(BACKOFF_SECONDS_FIRST * 2**step.failures, BACKOFF_SECONDS_MAX)
    words = str(error).partition("\n")[0]  # a database error goes on with the statement and its values
    detail = f"{type(error).__name__}: {words}"
    if step.failures + 1 < FAILURES_MAX:
        _give_back(door, step, hold, detail=detail, postponed=None)
        return
    with door.database.begin() as tx:
        if _under_way(tx, step):
            return
        set_aside(tx, step, detail, machine_now=door.machine_clock())
    log.error("step_set_aside", case=step.case_id, step=step.id, kind=step.kind.value, detail=detail)


def _under_way(tx: Connection, step: ClaimedStep) -> bool:
    """Money or mail may be on its way: the lease lapses and the sweep settles it."""
    return bool(attempt_of_step(tx, step.id) or email_of_step(tx, step.id))


def _give_back(door: Door, step: ClaimedStep, hold_seconds: float, *, detail: str, postponed: Postponed | None) -> None:
    moment = door.moment()
    later = postponed.due_in if postponed else None
    with door.database.begin() as tx:
        if _under_way(tx, step):
            return
        release_step(
            tx,
            step,
            hold_until=moment.machine_now + timedelta(seconds=hold_seconds),
            due_at=moment.now + later if later else None,
            error=detail,
            failed=postponed is None,
        )
    if postponed:
        log.info("step_postponed", case=step.case_id, step=step.id, kind=step.kind.value, detail=detail)
