"""Takes back what dead workers held. Without it a killed worker would leave its cases asleep for ever."""

from collections.abc import Callable

import structlog

from recovery.cases.facts import EmailSent, LeaseLapsed
from recovery.cases.lifecycle import StepKind
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.storage.attempt_store import attempt_of_step
from recovery.storage.email_store import email_of_step
from recovery.storage.step_store import ClaimedStep, lapsed_steps, release_step

log = structlog.get_logger(__name__)

SWEEP_BATCH = 200
"""Lapsed leases taken back in one go; more wait for the next ring a few seconds later."""


def sweep(door: Door) -> int:
    """Take back every lapsed lease; returns how many. Safe to run anywhere, any time, by several at once.

    An attempt in flight is never performed again: it is settled by reading. An email that was begun may have gone out and is not
    sent again. Everything else goes back to planned.
    """
    with door.database.begin() as tx:
        lapsed = lapsed_steps(tx, machine_now=door.machine_clock(), limit=SWEEP_BATCH)
    for step in lapsed:
        _TAKE_BACK.get(step.kind, _plan_again)(door, step)
        log.warning("lease_lapsed", case=step.case_id, step=step.id, kind=step.kind.value, claims=step.claims)
    return len(lapsed)


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
    with door.database.begin() as tx:
        release_step(tx, step, hold_until=door.machine_clock())


_TAKE_BACK: dict[StepKind, Callable[[Door, ClaimedStep], None]] = {
    StepKind.CHARGE_CARD: _take_back_charge,
    StepKind.SEND_EMAIL: _take_back_email,
}
