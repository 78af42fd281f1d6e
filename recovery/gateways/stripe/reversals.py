"""Refunds and disputes of a charge. Without it recovered money that went back would stay in the report."""

from collections.abc import Iterable

from recovery.gateways.port import Reversal
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.charges import money
from recovery.gateways.stripe.fields import Json, ident, instant, text, whole
from recovery.gateways.stripe.invoices import created_at, currency_of
from recovery.gateways.stripe.reading import Reading

Reversals = tuple[Reversal, ...]


def read_reversals(calls: Calls, reading: Reading, *, name: str) -> tuple[Reversals, Reversals]:
    """All refunds and all disputes, oldest first; both empty when the charge belongs to no invoice."""
    charge = reading.charge(name)
    obligation = reading.obligation_of(payment_intent=None, charge=charge)
    if obligation is None:
        return (), ()
    refunds = calls.pages(calls.client.v1.refunds.list, {"charge": name})
    disputes = calls.pages(calls.client.v1.disputes.list, {"charge": name})
    return _ordered(refunds, charge, obligation=obligation), _ordered(disputes, charge, obligation=obligation)


def _ordered(found: Iterable[Json], charge: Json, *, obligation: str) -> Reversals:
    reversals = [_reversal(one, charge, obligation=obligation) for one in found]
    return tuple(sorted(reversals, key=lambda one: (one.occurred_at, one.id)))


def _reversal(found: Json, charge: Json, *, obligation: str) -> Reversal:
    return Reversal(
        id=text(found, "id") or "",
        obligation=obligation,
        charge_id=ident(charge) or "",
        amount=money(whole(found, "amount"), text(found, "currency"), otherwise=currency_of(charge)),
        # Refunds made before 2014 have no status; they had succeeded.
        status=text(found, "status") or "succeeded",
        occurred_at=instant(found, "created") or created_at(charge),
    )
