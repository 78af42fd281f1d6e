"""Who made the charges that paid an invoice. Without it the engine would take credit for what customers paid by themselves."""

from dataclasses import replace

from recovery.cases.obligation import Charge, Obligation
from recovery.declines.signals import Initiator
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.fields import ident, mapping
from recovery.gateways.stripe.notices import cause_of
from recovery.gateways.stripe.tracing import Search, near


def attributed(calls: Calls, obligation: Obligation) -> Obligation:
    """The obligation with the initiator and key of its successful charges, as far as Stripe's events tell (30 days back)."""
    charges = tuple(
        _attributed(calls, charge) if charge in obligation.succeeded else charge for charge in obligation.charges
    )
    return replace(obligation, charges=charges)


def _attributed(calls: Calls, charge: Charge) -> Charge:
    search = Search(calls)
    for stretch in near(charge.created_at):
        for event in search.events(("charge.succeeded",), stretch):
            if ident(mapping(event, "data", "object")) == charge.id:
                called, key = cause_of(event)
                who = Initiator.CUSTOMER if called else Initiator.GATEWAY
                return replace(charge, initiator=who, idempotency_key=key)
    return charge
