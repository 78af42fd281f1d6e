"""The knowledge a decision rests on, as one argument. Without it decide would read files or take a dozen parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from recovery.cases.policy import Policy
from recovery.declines.classify import DeclineTable, Verdict, classify
from recovery.declines.networks import NetworkRules
from recovery.declines.signals import Card, Signals
from recovery.timing.banks import Banks
from recovery.timing.budgets import Use


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The policy pinned on the case, and the world's knowledge as it stands: codes, networks, banks.

    ``settle_seconds`` is the machine time after which a call to the gateway has surely ended: its total bound plus a margin.
    """

    policy: Policy
    declines: DeclineTable
    networks: NetworkRules
    banks: Banks
    settle_seconds: float

    def verdict(self, signals: Signals, card: Card | None, at: datetime) -> Verdict:
        """What a decline allows, by the edition in force at an instant."""
        pack = self.networks.in_force(card.brand if card else None, at)
        return classify(signals, table=self.declines, pack=pack)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardUse:
    """What counts against the card the case would charge next, over all cases and whoever tried."""

    budget_key: str
    uses: Sequence[Use]


NO_USE = CardUse(budget_key="", uses=())
