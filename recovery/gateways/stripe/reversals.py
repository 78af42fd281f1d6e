"""Refunds and disputes of a charge. Without it recovered money that went back would stay in the report."""

from collections.abc import Iterable
from datetime import datetime

from recovery.gateways.port import Reversal
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.charges import money
from recovery.gateways.stripe.fees import fee_of
from recovery.gateways.stripe.fields import Json, ident, instant, mapping, rows, text, whole
from recovery.gateways.stripe.invoices import created_at, currency_of
from recovery.gateways.stripe.reading import Reading

Reversals = tuple[Reversal, ...]

_REFUND_EXPAND = {"expand": ["data.balance_transaction", "data.failure_balance_transaction"]}


def read_reversals(calls: Calls, reading: Reading, *, name: str) -> tuple[Reversals, Reversals]:
    """All refunds and all disputes, oldest first; both empty when the charge belongs to no invoice."""
    charge = reading.charge(name)
    obligation = reading.obligation_of(payment_intent=None, charge=charge)
    if obligation is None:
        return (), ()
    refunds = calls.pages(calls.to("refunds"), {"charge": name, **_REFUND_EXPAND})
    disputes = calls.pages(calls.to("disputes"), {"charge": name})
    return _ordered(refunds, charge, obligation=obligation), _ordered(disputes, charge, obligation=obligation)


def reversal_of(found: Json, charge: Json, *, obligation: str) -> Reversal:
    """One refund or dispute of a charge from its JSON."""
    lines = [one for one in (mapping(found, "balance_transaction"), *rows(found, "balance_transactions")) if one]
    name = ident(charge) or ""
    return Reversal(
        id=text(found, "id") or "",
        obligation=obligation,
        charge_id=name,
        amount=money(whole(found, "amount"), text(found, "currency"), otherwise=currency_of(charge)),
        status=reversal_status(found),
        occurred_at=instant(found, "created") or created_at(charge),
        ended_at=_ended_at(found, lines),
        fees=tuple(fee for line in lines if (fee := fee_of(line, charge=name)) is not None and fee.amount.minor != 0),
    )


def reversal_status(found: Json) -> str:
    """The status of a refund or dispute. A dispute that was prevented (since 2025-08-27) is over: lost if its lines show that money
    was taken and not given back, else won.
    """
    # Refunds made before 2014 have no status; they had succeeded.
    status = text(found, "status") or "succeeded"
    if status != "prevented":
        return status
    moved = sum(whole(line, "amount") or 0 for line in rows(found, "balance_transactions"))
    return "lost" if moved < 0 else "won"


def _ended_at(found: Json, lines: list[Json]) -> datetime | None:
    """When the money came back: the line of a failed refund, or the line by which a won dispute is reinstated."""
    failed = instant(mapping(found, "failure_balance_transaction"), "created")
    back = [at for line in lines[1:] if (whole(line, "amount") or 0) > 0 and (at := instant(line, "created"))]
    return failed or (back[-1] if back else None)


def _ordered(found: Iterable[Json], charge: Json, *, obligation: str) -> Reversals:
    reversals = [reversal_of(one, charge, obligation=obligation) for one in found]
    return tuple(sorted(reversals, key=lambda one: (one.occurred_at, one.id)))
