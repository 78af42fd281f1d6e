"""Takes back what dead workers held. Without it a killed worker would leave its cases asleep for ever."""

from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from recovery.cases.facts import EmailSent, LeaseLapsed
from recovery.cases.lifecycle import StepKind
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.storage.aside_store import set_aside, set_aside_in_flight
from recovery.storage.attempt_store import attempt_of_step
from recovery.storage.connect import OUR_MISTAKES
from recovery.storage.email_store import email_of_step
from recovery.storage.lease_store import holds_lease, lapsed_steps, release_step
from recovery.storage.step_store import SUSPECT_AFTER, ClaimedStep

log = structlog.get_logger(__name__)

SWEEP_BATCH = 200
"""Lapsed leases taken back in one go; more wait for the next ring a few seconds later."""


UNENDED_MAX = 5
"""Claims in a row that nobody ended: the step is taken to be what ends its workers, and set aside."""


SUSPECT_REST_SECONDS = 5.0
"""How long a suspect rests before it is begun again, doubled each time: a machine that is restarted a few times within one
minute must not make an innocent step look like the cause."""


def _rest(unended: int) -> timedelta:
    beyond = unended - SUSPECT_AFTER
    return timedelta(seconds=SUSPECT_REST_SECONDS * 2.0**beyond) if beyond >= 0 else timedelta(0)


def sweep(door: Door) -> int:
    """Take back every lapsed lease; returns how many. Safe to run anywhere, any time, by several at once.

    An attempt in flight is never performed again: it is settled by reading. An email that was begun may have gone out and is not
    sent again. Everything else goes back to planned, until it looks as if the step itself ended its workers. A step that cannot be
    taken back is set aside and blocks no other. Raises the database's errors when it is away.
    """
    with door.database.begin() as tx:
        lapsed = lapsed_steps(tx, machine_now=door.machine_clock(), limit=SWEEP_BATCH)
    for step in lapsed:
        log.warning("lease_lapsed", case=step.case_id, step=step.id, kind=step.kind.value, claims=step.claims)
        try:
            _TAKE_BACK.get(step.kind, _plan_again)(door, step)
        except OUR_MISTAKES as error:
            _leave(door, step, error)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - logged and kept: the others must not wait for this one case
            _leave(door, step, error)
    return len(lapsed)


def _leave(door: Door, step: ClaimedStep, error: Exception) -> None:
    words = str(error).partition("\n")[0]
    detail = f"cannot be taken back: {type(error).__name__}: {words}"
    with door.database.begin() as tx:
        set_aside_in_flight(tx, step, detail, machine_now=door.machine_clock())
    log.exception("step_set_aside", case=step.case_id, step=step.id, kind=step.kind.value)


def _take_back_charge(door: Door, step: ClaimedStep) -> None:
    with door.database.begin() as tx:
        attempt_id = attempt_of_step(tx, step.id)
    if attempt_id is None:
        _plan_again(door, step)
    else:
        advance(door, step.case_id, LeaseLapsed(attempt_id=attempt_id), step=step)


def _take_back_email(door: Door, step: ClaimedStep) -> None:
    with door.database.begin() as tx:
        email_id = email_of_step(tx, step.id)
    if email_id is None:
        _plan_again(door, step)
    else:
        advance(door, step.case_id, EmailSent(email_id=email_id, ambiguous=True), step=step)


def _plan_again(door: Door, step: ClaimedStep) -> None:
    machine_now = door.machine_clock()
    with door.database.begin() as tx:
        # Its worker may have woken, and begun an attempt or an email: asked once more with the step held. That one keeps its step, and
        # the next sweep finds it.
        if not holds_lease(tx, step) or attempt_of_step(tx, step.id) or email_of_step(tx, step.id):
            return
        if step.unended < UNENDED_MAX:
            release_step(tx, step, hold_until=machine_now + _rest(step.unended), ended=False)
            return
        detail = f"begun {step.unended} times in a row and never ended: it seems to end its workers"
        if set_aside(tx, step, detail, machine_now=machine_now):
            log.error("step_set_aside", case=step.case_id, step=step.id, kind=step.kind.value, detail=detail)


_TAKE_BACK: dict[StepKind, Callable[[Door, ClaimedStep], None]] = {
    StepKind.CHARGE_CARD: _take_back_charge,
    StepKind.SEND_EMAIL: _take_back_email,
    StepKind.ASK_REASON: _take_back_email,
}
