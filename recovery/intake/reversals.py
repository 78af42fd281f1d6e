"""Money that went back: refunds and disputes of a charge. Without it a month would show money that is gone again."""

from datetime import datetime

from recovery.cases.facts import DisputeClosed, DisputeOpened, Fact, InvoicePaid, PartPaid, PaymentRefunded
from recovery.cases.lifecycle import OPEN
from recovery.cases.money_moves import since_failure
from recovery.cases.obligation import Obligation, ObligationStatus
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.gateways.port import CLOSED_DISPUTE, FAILED_REFUND, WON_DISPUTE, Gateway, Reversal
from recovery.intake.fees import fee_charged
from recovery.intake.outcome import Done, Held
from recovery.storage.case_store import cases_of, load_case
from recovery.storage.connect import reading

UNSETTLED_SECONDS = 20.0
"""How long a reversal waits for an open attempt of ours to be settled, or for the payment to be booked."""


def reversal_seen(door: Door, gateway: Gateway, charge: str, *, told_at: datetime) -> Done | Held:
    """Read all refunds and disputes of a charge and tell the case whose ledger has it.

    A reversal that overtook the news of its payment waits for it. ``told_at`` is the instant of the news: what ended, and shows
    no instant of its own, ended then.
    """
    known = _cases_with(door, charge)
    if not known:
        waits = _learn_of_payment(door, gateway, charge)
        known = _cases_with(door, charge)
        if not known:
            return waits
    refunds, disputes = gateway.read_reversals(charge)
    facts = [fact for refund in refunds for fact in _refund_facts(refund, told_at)]
    facts += [fact for dispute in disputes for fact in _dispute_facts(dispute, told_at)]
    facts += [fee_charged(fee) for reversal in (*refunds, *disputes) for fee in reversal.fees]
    news = sum(1 for case_id in known for fact in facts if advance(door, case_id, fact).decision is not None)
    return Done(f"{news} entries booked for {', '.join(known)}")


def _cases_with(door: Door, charge: str) -> list[str]:
    with reading(door.database) as tx:
        return cases_of(tx, charge=charge)


def _learn_of_payment(door: Door, gateway: Gateway, charge: str) -> Done | Held:
    """Tell the case of a payment whose own news was lost or is late; what it means if the ledger still has none."""
    name = gateway.obligation_of(charge=charge)
    if name is None:
        return Done("belongs to no invoice")
    with reading(door.database) as tx:
        cases = cases_of(tx, obligation=name)
    if not cases:
        return Done("no case")
    obligation = gateway.read_obligation(name)
    for case_id in cases:
        advance(door, case_id, _payment_read(obligation))
    with reading(door.database) as tx:
        told = [load_case(tx, case_id) for case_id in cases]
    if any(case.open_attempt is not None for case in told):
        return Held("an attempt of ours is open: it may have made this charge", seconds=UNSETTLED_SECONDS)
    counted = [each for case in told if case.state in OPEN for each in since_failure(case, obligation.succeeded)]
    if any(each.id == charge for each in counted):
        # Told while an attempt was open, which is settled by now: the invoice is about to be read again, and booked.
        return Held("the payment is not booked yet", seconds=UNSETTLED_SECONDS)
    return Done("not a recovered charge")


def _payment_read(obligation: Obligation) -> Fact:
    if obligation.status is not ObligationStatus.PAID:
        return PartPaid(obligation=obligation)
    at = obligation.paid_at or obligation.created_at
    return InvoicePaid(obligation_id=obligation.id, charges=obligation.succeeded, at=at)


def _refund_facts(refund: Reversal, told_at: datetime) -> list[Fact]:
    made = PaymentRefunded(refund_id=refund.id, charge_id=refund.charge_id, amount=refund.amount, at=refund.occurred_at)
    if refund.status not in FAILED_REFUND:
        return [made]
    undone = PaymentRefunded(
        refund_id=refund.id,
        charge_id=refund.charge_id,
        amount=refund.amount,
        at=refund.ended_at or max(told_at, refund.occurred_at),
        failed=True,
    )
    return [made, undone]


def _dispute_facts(dispute: Reversal, told_at: datetime) -> list[Fact]:
    opened = DisputeOpened(
        dispute_id=dispute.id, charge_id=dispute.charge_id, amount=dispute.amount, at=dispute.occurred_at
    )
    if dispute.status not in CLOSED_DISPUTE:
        return [opened]
    closed = DisputeClosed(
        dispute_id=dispute.id,
        charge_id=dispute.charge_id,
        amount=dispute.amount,
        at=dispute.ended_at or max(told_at, dispute.occurred_at),
        won=dispute.status in WON_DISPUTE,
    )
    return [opened, closed]
