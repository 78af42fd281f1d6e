"""Performs ChargeCard: three edges, never two charges.

Commit the intent, call the gateway outside any transaction, advance with the answer. A crash between any two edges leaves an
attempt whose lease lapses and which is then settled by reading, never by trying again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from recovery.cases.answers import Answer, NotSent
from recovery.cases.case import Attempt
from recovery.cases.facts import AttemptAnswered, ChargeDue
from recovery.charging.breaker import Breaker
from recovery.engine.advance import SEND_WITHIN_SECONDS, advance
from recovery.engine.claims import Postponed
from recovery.engine.door import Door
from recovery.engine.patience import patiently
from recovery.gateways.port import ChargeOrder, Gateway
from recovery.storage.step_store import ClaimedStep

log = structlog.get_logger(__name__)

BOOKKEEPING_SECONDS = 30.0
"""Room in the lease for the transactions around the calls."""


@dataclass(frozen=True, slots=True)
class ChargeCard:
    """The lease covers reading obligation and card and the whole call, repeats included."""

    door: Door
    gateway: Gateway
    breaker: Breaker

    @property
    def lease_seconds(self) -> float:
        """Longer than everything a performance may do at the gateway."""
        return 3 * self.gateway.call_bound_seconds + BOOKKEEPING_SECONDS

    def __call__(self, step: ClaimedStep) -> None:
        """Check everything again, begin the attempt, charge, and tell the case."""
        rest = self.breaker.rest_seconds()
        if rest > 0:
            raise Postponed("the gateway is ill: charging rests", hold_seconds=rest)
        with patiently():
            obligation, wallet = self.gateway.read_owed(step.obligation)
        due = ChargeDue(obligation=obligation, card=wallet.default, cards=wallet.cards, odd=wallet.odd, step_id=step.id)
        begins = self.door.machine_clock()
        begun = advance(self.door, step.case_id, due, step=step)
        if begun.attempt is None:
            return
        answer = self._charge(begun.attempt, step, begins)
        advance(self.door, step.case_id, AttemptAnswered(attempt_id=begun.attempt.id, answer=answer), step=step)

    def _charge(self, attempt: Attempt, step: ClaimedStep, begins: datetime) -> Answer:
        now = self.door.machine_clock()
        call_ends = now + timedelta(seconds=self.gateway.call_bound_seconds)
        if call_ends >= step.lease_until or now - begins > timedelta(seconds=SEND_WITHIN_SECONDS):
            # A worker that slept must not send when others may already believe that it never will.
            log.warning("slept_past_lease", case=step.case_id, step=step.id)
            return NotSent(detail="the worker was too slow to send within its lease")
        answer = self.gateway.charge(ChargeOrder.of(attempt, step.obligation))
        self.breaker.heard(answer)
        return answer
