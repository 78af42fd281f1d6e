"""Claims due steps and hands each to its performer. Without bounded claims one slow gateway would let leases run out in a queue."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Protocol, runtime_checkable

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from recovery.cases.facts import ObligationMissing
from recovery.cases.lifecycle import StepKind
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.gateways.port import NotFound
from recovery.storage.amounts import dearest_first
from recovery.storage.attempt_store import attempt_of_step
from recovery.storage.connect import OUR_MISTAKES
from recovery.storage.email_store import email_of_step
from recovery.storage.flag_store import CHARGING_HALTED, is_raised
from recovery.storage.moment import Moment
from recovery.storage.step_store import ClaimedStep, claim_steps, due_kinds, release_step

log = structlog.get_logger(__name__)

BACKOFF_SECONDS_FIRST = 5.0
BACKOFF_SECONDS_MAX = 3600.0
"""A step that failed waits 5 s, then twice as long each time, an hour at most: never dropped, never a busy loop."""


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


def perform_due(door: Door, performers: Mapping[StepKind, Performer], *, batch: int, threads: int) -> int:
    """Claim at most ``batch`` due steps of each kind and perform them, ``threads`` at a time; returns how many were claimed.

    A lease covers the rounds that a batch takes: with as many threads as steps, one performance.
    """
    done = 0
    with door.database.connect() as tx:
        due = due_kinds(tx, moment=door.moment())
    for kind, performer in performers.items():
        if kind not in due:
            continue
        claimed = _claim(door, kind, performer, batch=batch, threads=threads)
        done += len(claimed)
        if threads == 1 or len(claimed) <= 1:
            for step in claimed:
                _perform(door, performer, step)
        else:
            with ThreadPoolExecutor(max_workers=min(threads, len(claimed))) as pool:
                list(pool.map(lambda step, how=performer: _perform(door, how, step), claimed))
    return done


def _claim(door: Door, kind: StepKind, performer: Performer, *, batch: int, threads: int) -> list[ClaimedStep]:
    rounds = -(-batch // threads)
    with door.database.begin() as tx:
        if kind is StepKind.CHARGE_CARD and is_raised(tx, CHARGING_HALTED):
            return []
        lease = performer.lease_seconds * rounds
        moment = door.moment()
        limit = performer.places(tx, wanted=batch, moment=moment) if isinstance(performer, Paced) else batch
        claimed = claim_steps(tx, (kind,), moment=moment, limit=limit, lease_seconds=lease) if limit else []
        return dearest_first(tx, claimed) if kind is StepKind.CHARGE_CARD else claimed


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
    _give_back(door, step, hold, detail=f"{type(error).__name__}: {words}", postponed=None)


def _give_back(door: Door, step: ClaimedStep, hold_seconds: float, *, detail: str, postponed: Postponed | None) -> None:
    moment = door.moment()
    later = postponed.due_in if postponed else None
    with door.database.begin() as tx:
        if attempt_of_step(tx, step.id) or email_of_step(tx, step.id):
            return  # money or mail may be on its way: the lease lapses and the sweep settles it
        release_step(
            tx,
            step,
            hold_until=moment.machine_now + timedelta(seconds=hold_seconds),
            due_at=moment.now + later if later else None,
            error=None if postponed else detail,
        )
    if postponed:
        log.info("step_postponed", case=step.case_id, step=step.id, kind=step.kind.value, detail=detail)
