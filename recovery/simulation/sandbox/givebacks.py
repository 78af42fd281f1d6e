"""Money that goes back: refunds and disputes.

Without them a recovered sum could only grow, and a report that forgets to subtract would look right.
"""

from __future__ import annotations

from datetime import timedelta

from recovery.simulation.sandbox.charges import DISPUTE_FEE_MINOR, balance
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json, invalid
from recovery.simulation.sandbox.events import emit
from recovery.simulation.sandbox.ledger import Cause, Movement, MovementKind
from recovery.simulation.sandbox.shapes import invoice_of
from recovery.simulation.sandbox.templates import build

_EVIDENCE_DAYS = 14  # only shown; the world decides when a dispute ends


def refund(
    core: Core, charge: Json, cause: Cause, *, amount_minor: int | None = None, reason: str | None = None
) -> Json:
    """Give back a part or (None) the rest. Raises Refused (400) beyond what is left."""
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = left if amount_minor is None else amount_minor
    if charge["status"] != "succeeded" or left <= 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if not 0 < amount <= left:
        raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount")
    store = core.store
    refund_id = store.new_id("re", charge["id"])
    made = build(
        "refund",
        refund_id,
        amount=amount,
        charge=charge["id"],
        created=cause.timestamp,
        currency=charge["currency"],
        payment_intent=charge["payment_intent"],
        reason=reason,
    )
    store.add(made)
    made["balance_transaction"] = balance(core, made, cause, amount=-amount)["id"]
    total = charge["amount_refunded"] + amount
    charge.update(amount_refunded=total, refunded=total == charge["amount_captured"])
    _book(core, cause, "refund", made)
    emit(core, cause, "charge.refunded", charge, changed={"amount_refunded": total - amount})
    emit(core, cause, "refund.created", made)
    return made


def fail_refund(core: Core, made: Json, cause: Cause) -> None:
    """The customer's bank sends a refund back: the money is the merchant's again. Raises Refused (400) when it failed before."""
    if made["status"] == "failed":
        raise invalid(f"Refund {made['id']} has failed already.")
    charge = core.store.get("charge", made["charge"])
    back = balance(core, made, cause, amount=made["amount"])
    made.update(status="failed", failure_reason="unknown", failure_balance_transaction=back["id"])
    charge.update(amount_refunded=charge["amount_refunded"] - made["amount"], refunded=False)
    _book(core, cause, "refund_failed", made)
    emit(core, cause, "refund.failed", made)
    emit(core, cause, "refund.updated", made, changed={"status": "succeeded"})


def open_dispute(core: Core, charge: Json, cause: Cause, *, reason: str = "general") -> Json:
    """The cardholder disputes what is left of a charge: the money is taken at once, with a fee.

    Raises Refused (400) for a charge that took no money or is disputed already.
    """
    dispute = _new_dispute(core, charge, cause, reason=reason)
    dispute["evidence_details"]["due_by"] = int((cause.at + timedelta(days=_EVIDENCE_DAYS)).timestamp())
    taken = balance(core, dispute, cause, amount=-dispute["amount"], fee=DISPUTE_FEE_MINOR)
    dispute["balance_transactions"].append(dict(taken))
    _book(core, cause, "dispute_opened", dispute)
    emit(core, cause, "charge.dispute.created", dispute)
    return dispute


def prevent_dispute(core: Core, charge: Json, cause: Cause, *, taken: bool) -> Json:
    """A dispute that ends before it begins: resolved by giving the money back without a fee (``taken``), or blocked.

    Raises Refused (400) as opening one does.
    """
    dispute = _new_dispute(core, charge, cause, reason="general")
    dispute["status"] = "prevented"
    if taken:
        dispute["balance_transactions"].append(dict(balance(core, dispute, cause, amount=-dispute["amount"])))
    _book(core, cause, "dispute_opened", dispute)
    _book(core, cause, "dispute_lost" if taken else "dispute_won", dispute)
    emit(core, cause, "charge.dispute.created", dispute)
    return dispute


def _new_dispute(core: Core, charge: Json, cause: Cause, *, reason: str) -> Json:
    amount = charge["amount_captured"] - charge["amount_refunded"]
    if charge["status"] != "succeeded" or charge["disputed"] or amount <= 0:
        raise invalid(f"Charge {charge['id']} cannot be disputed.")
    made = build(
        "dispute",
        core.store.new_id("dp", charge["id"]),
        amount=amount,
        charge=charge["id"],
        created=cause.timestamp,
        currency=charge["currency"],
        payment_intent=charge["payment_intent"],
        reason=reason,
    )
    charge["disputed"] = True
    return core.store.add(made)


def close_dispute(core: Core, dispute: Json, cause: Cause, *, won: bool) -> Json:
    """The bank decides; a won dispute brings the money back. Raises Refused (400) when it is closed."""
    if dispute["status"] in ("won", "lost", "prevented"):
        raise invalid(f"Dispute {dispute['id']} is already closed.")
    dispute["status"] = "won" if won else "lost"
    if won:
        back = balance(core, dispute, cause, amount=dispute["amount"])
        dispute["balance_transactions"].append(dict(back))
    _book(core, cause, "dispute_won" if won else "dispute_lost", dispute)
    emit(core, cause, "charge.dispute.closed", dispute)
    return dispute


def _book(core: Core, cause: Cause, kind: MovementKind, thing: Json) -> None:
    core.ledger.movements.append(
        Movement(
            kind=kind,
            id=thing["id"],
            charge=thing["charge"],
            invoice=invoice_of(core.store, thing["payment_intent"]),
            amount_minor=thing["amount"],
            currency=thing["currency"],
            at=cause.at,
        )
    )
