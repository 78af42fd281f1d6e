"""Performs WakeSiblings: tells a customer's other open cases that one was paid. Without it they would wait for money that is there.

The step is planned in the commit of the recovery itself, so a crash in between loses nothing; telling twice changes nothing.
"""

from dataclasses import dataclass

from recovery.cases.facts import SiblingRecovered
from recovery.cases.lifecycle import OPEN
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.storage.case_store import cases_of, load_case
from recovery.storage.lease_store import holds_lease
from recovery.storage.step_store import ClaimedStep, finish_steps


@dataclass(frozen=True, slots=True)
class WakeSiblings:
    """No call to the gateway: a few rows of one customer."""

    door: Door
    lease_seconds: float = 60.0

    def __call__(self, step: ClaimedStep) -> None:
        """Tell each open sibling, oldest first, then end the step."""
        with self.door.database.begin() as tx:
            paid = load_case(tx, step.case_id)
            others = [each for each in cases_of(tx, customer=paid.customer) if each != paid.id]
            waiting = [each for each in others if load_case(tx, each).state in OPEN]
        for case_id in waiting:
            advance(self.door, case_id, SiblingRecovered(case_id=paid.id, at=paid.ended_at or step.due_at))
        with self.door.database.begin() as tx:
            if holds_lease(tx, step):
                finish_steps(tx, step.id, moment=self.door.moment())
