"""Performs KeepCard: makes the card that the customer chose and that paid the subscription's own. Without it each renewal fails anew.

Saying it twice changes nothing, so a crash between the call and the commit is harmless.
"""

from dataclasses import dataclass

from recovery.cases.facts import CardKept
from recovery.cases.keeping import chosen_card
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.engine.patience import patiently
from recovery.gateways.port import Gateway, GatewayMisconfigured, NotFound
from recovery.storage.case_store import load_case
from recovery.storage.step_store import ClaimedStep


@dataclass(frozen=True, slots=True)
class KeepCard:
    """Two reads and one call. A key without the right to write subscriptions is told in the journal, not tried for ever."""

    door: Door
    gateway: Gateway

    @property
    def lease_seconds(self) -> float:
        """Invoice, cards, the call itself and the bookkeeping."""
        return 3 * self.gateway.call_bound_seconds + 30

    def __call__(self, step: ClaimedStep) -> None:
        """Make it the default unless the customer has taken it away meanwhile, and tell the case."""
        with self.door.database.begin() as tx:
            case = load_case(tx, step.case_id)
        method, subscription = chosen_card(case), case.subscription
        assert method is not None
        assert subscription is not None
        with patiently():
            refused = self._keep(case.obligation, subscription, method)
        advance(self.door, case.id, CardKept(step_id=step.id, payment_method=method, refused=refused), step=step)

    def _keep(self, obligation: str, subscription: str, method: str) -> str | None:
        """None when it is done, else why not."""
        try:
            read = self.gateway.read_obligation(obligation)
            kept = {each.card.payment_method for each in self.gateway.read_wallet(read).cards}
            if not read.subscription_live or method not in kept:
                return "the subscription has ended or the card is gone"
            self.gateway.make_default(subscription, method)
        except NotFound as error:
            return f"the gateway knows it no more ({error})"
        except GatewayMisconfigured as error:
            return f"our key may not write subscriptions ({error})"
        return None
