"""Money that went back: refunds and disputes of a charge. Without it a month would show money that is gone again."""

from recovery.cases.facts import DisputeClosed, DisputeOpened, Fact, PaymentRefunded
from recovery.cases.lifecycle import OPEN
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.gateways.port import Gateway, Reversal
from recovery.intake.outcome import Done, Held
from recovery.storage.case_store import cases_of, load_case

_FAILED_REFUND = frozenset({"failed", "canceled"})
_WON = frozenset({"won", "warning_closed"})
_CLOSED = _WON | {"lost"}


def reversal_seen(door: Door, gateway: Gateway, charge: str) -> Done | Held:
    """Read all refunds and disputes of a charge and tell the case whose ledger has it.

    A reversal that overtook the news of its payment waits for it.
    """
    with door.database.connect() as tx:
        known = cases_of(tx, charge=charge)
    if not known:
        return _of_unknown_charge(door, gateway, charge)
    refunds, disputes = gateway.read_reversals(charge)
    facts = [fact for refund in refunds for fact in _refund_facts(refund)]
    facts += [fact for dispute in disputes for fact in _dispute_facts(dispute)]
    news = sum(1 for case_id in known for fact in facts if advance(door, case_id, fact).decision is not None)
    return Done(f"{news} entries booked for {', '.join(known)}")


def _of_unknown_charge(door: Door, gateway: Gateway, charge: str) -> Done | Held:
    obligation = gateway.obligation_of(charge=charge)
    if obligation is None:
        return Done("belongs to no invoice")
    with door.database.connect() as tx:
        cases = [load_case(tx, case_id) for case_id in cases_of(tx, obligation=obligation)]
    if any(case.state in OPEN for case in cases):
        return Held("its payment is not known yet", seconds=5.0, counts=True)
    return Done("not a recovered charge")


def _refund_facts(refund: Reversal) -> list[Fact]:
    made = PaymentRefunded(refund_id=refund.id, charge_id=refund.charge_id, amount=refund.amount, at=refund.occurred_at)
    if refund.status not in _FAILED_REFUND:
        return [made]
    undone = PaymentRefunded(
        refund_id=refund.id, charge_id=refund.charge_id, amount=refund.amount, at=refund.occurred_at, failed=True
    )
    return [made, undone]


def _dispute_facts(dispute: Reversal) -> list[Fact]:
    opened = DisputeOpened(
        dispute_id=dispute.id, charge_id=dispute.charge_id, amount=dispute.amount, at=dispute.occurred_at
    )
    if dispute.status not in _CLOSED:
        return [opened]
    closed = DisputeClosed(
        dispute_id=dispute.id,
        charge_id=dispute.charge_id,
        amount=dispute.amount,
        at=dispute.occurred_at,
        won=dispute.status in _WON,
    )
    return [opened, closed]
