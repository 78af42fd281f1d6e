"""Performs SettleAttempt: finds out by reading what became of an attempt. Without it a timeout would be guessed at."""

from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from recovery.cases.answers import NotSent, Processing, Succeeded, Unknown
from recovery.cases.facts import AttemptAnswered, InvoicePaid
from recovery.cases.lifecycle import AttemptStatus
from recovery.cases.obligation import ObligationStatus
from recovery.engine.advance import advance
from recovery.engine.claims import Postponed
from recovery.engine.door import Door
from recovery.engine.patience import patiently
from recovery.gateways.port import ChargeOrder, Gateway
from recovery.storage.case_store import load_case, lock_case
from recovery.storage.connect import reading
from recovery.storage.lease_store import planned_anew
from recovery.storage.step_store import ClaimedStep, finish_steps

log = structlog.get_logger(__name__)

UNDECIDED_HOURS = 1
"""How soon an accepted but undecided charge is looked at again."""


@dataclass(frozen=True, slots=True)
class SettleAttempt:
    """Reads only. The step's hold has let the call's total bound and a margin pass before."""

    door: Door
    gateway: Gateway

    @property
    def lease_seconds(self) -> float:
        """The reads that settling takes: the events of the time, the obligation, its charges, once more in the end."""
        return 4 * self.gateway.call_bound_seconds + 30

    def __call__(self, step: ClaimedStep) -> None:
        """Tell the case what became of its open attempt."""
        with self.door.database.begin() as tx:
            # Locked: an attempt that begins meanwhile plans its settling after this step is out of the way.
            held = lock_case(tx, step.case_id, step=step)
            case = held.case
            attempt = case.open_attempt
            if held.lease_until is None:
                # Whoever slept past its lease would take the attempt that was begun meanwhile for the one it was to settle,
                # and read what became of it while its call may still land.
                log.info("claim_lost", case=step.case_id, step=step.id, kind=step.kind)
                return
            if attempt is None or attempt.status is AttemptStatus.IN_FLIGHT:
                # Somebody else settled the one it was planned for; what is being called now plans its own settling.
                finish_steps(tx, step.id, moment=self.door.moment())
                return
            if planned_anew(tx, step):
                # For another attempt, whose call may land until the hold of that plan is over.
                raise Postponed("it is to settle an attempt that began since it was taken up", hold_seconds=0.0)
        with patiently():
            found = self.gateway.settle(ChargeOrder.of(attempt, case.obligation))
        news = isinstance(found, Processing) and attempt.status is not AttemptStatus.PROCESSING
        if isinstance(found, Processing | Unknown) and not news:
            detail = "the gateway has not decided yet"
            raise Postponed(detail, hold_seconds=1.0, due_in=timedelta(hours=UNDECIDED_HOURS))
        if isinstance(found, Succeeded):
            self._tell_of_others(case.id, attempt.id, found)
        answer = found or NotSent(detail="the gateway knows nothing of it, read after the call's bound and a margin")
        advance(self.door, case.id, AttemptAnswered(attempt_id=attempt.id, answer=answer), step=step)

    def _tell_of_others(self, case_id: str, attempt_id: str, ours: Succeeded) -> None:
        """Part payments that others made: nobody could tell them from ours as long as the attempt was open."""
        with reading(self.door.database) as tx:
            name = load_case(tx, case_id).obligation
        with patiently():
            obligation = self.gateway.read_obligation(name)
        if obligation.status is not ObligationStatus.PAID or len(obligation.succeeded) < 2:
            return
        charges = tuple(
            replace(charge, idempotency_key=attempt_id) if charge.id == ours.charge.id else charge
            for charge in obligation.succeeded
        )
        at = obligation.paid_at or ours.charge.created_at
        advance(self.door, case_id, InvoicePaid(obligation_id=name, charges=charges, at=at))
