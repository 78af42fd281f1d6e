"""Performs Escalate and CloseCase. Without them a case could wait for a person or a customer for ever."""

from dataclasses import dataclass

from recovery.cases.facts import CloseDue, EscalationDue
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.engine.patience import patiently
from recovery.gateways.port import Gateway
from recovery.storage.step_store import ClaimedStep


@dataclass(frozen=True, slots=True)
class Escalate:
    """A case in review whose days are over is brought up again."""

    door: Door
    lease_seconds: float = 30.0

    def __call__(self, step: ClaimedStep) -> None:
        """Tell the case."""
        advance(self.door, step.case_id, EscalationDue(step_id=step.id), step=step)


@dataclass(frozen=True, slots=True)
class CloseCase:
    """The obligation is read a last time, so that a payment whose webhook was lost is not written off."""

    door: Door
    gateway: Gateway

    @property
    def lease_seconds(self) -> float:
        """One read and the bookkeeping."""
        return self.gateway.call_bound_seconds + 30

    def __call__(self, step: ClaimedStep) -> None:
        """Read and tell the case."""
        with patiently():
            obligation = self.gateway.read_obligation(step.obligation)
        advance(self.door, step.case_id, CloseDue(obligation=obligation, step_id=step.id), step=step)
