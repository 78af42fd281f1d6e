"""Performs RefreshCard: reads obligation and card again. Without it dead details would be charged and fresh ones missed."""

from dataclasses import dataclass

from recovery.cases.facts import CardRefreshed
from recovery.cases.lifecycle import OPEN
from recovery.cases.updating import Unsupported, UpdaterWay
from recovery.declines.signals import Card
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.engine.patience import patiently
from recovery.gateways.port import Gateway
from recovery.storage.case_store import load_case
from recovery.storage.step_store import ClaimedStep


@dataclass(frozen=True, slots=True)
class RefreshCard:
    """Calls are bounded by the gateway's own limits; the lease leaves room for three of them: the updater, invoice, cards."""

    door: Door
    gateway: Gateway

    @property
    def lease_seconds(self) -> float:
        """A question, two reads and the bookkeeping."""
        return 3 * self.gateway.call_bound_seconds + 30

    def __call__(self, step: ClaimedStep) -> None:
        """Read and tell the case."""
        with patiently():
            asked = self._doubted(step.case_id)
            found = self.gateway.ask_updater(asked) if asked else Unsupported()
            obligation, wallet = self.gateway.read_owed(step.obligation)
        read = CardRefreshed(
            obligation=obligation,
            card=wallet.default,
            cards=wallet.cards,
            odd=wallet.odd,
            step_id=step.id,
            asked=asked,
            updater=found,
        )
        advance(self.door, step.case_id, read, step=step)

    def _doubted(self, case_id: str) -> Card | None:
        """The dead card that the updater is to be asked about; None where there is none, or nobody to ask."""
        if self.gateway.updater is not UpdaterWay.ON_DEMAND:
            return None
        with self.door.database.begin() as tx:
            case = load_case(tx, case_id)
        return case.card if case.state in OPEN and case.card and case.is_dead(case.card) else None
