"""Failed charges of others on our obligations. Without them a card's budget would count only what webhooks told.

What others took is not kept. Networks limit how often one declined payment is tried again: Mastercard counts declines, Visa those that
follow one another at one amount (developers.tabapay.com/docs/excessive-retry-rules; developers.getevolved.com, Visa's processing
integrity fees; read 2026-11), so that an approved payment counts for nothing and ends Visa's series. We count on after it, and our own
approved tries as well: stricter than the rule. Nor does it lift what a network forbade: a payment that the customer starts says nothing
of those that we start (Visa R0, R1 and R3).
"""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.cases.case import Case
from recovery.cases.obligation import Charge, ChargeStatus
from recovery.storage import codec
from recovery.storage.tables import foreign_charges


def note_foreign_charges(tx: Connection, case: Case, charges: Iterable[Charge], *, noted: Collection[str]) -> None:
    """Keep the failed charges that are not our own attempts', each once, whether a webhook or a reading showed them.

    ``noted`` are those of the case that are kept already.

    While an attempt of ours is open nobody can tell its charge from another's: then nothing is noted, the next reading will.
    """
    if case.open_attempt is not None:
        return
    keys = {attempt.id for attempt in case.attempts}
    known = {attempt.charge_id for attempt in case.attempts}.union(noted)
    rows = [
        {
            "charge_id": charge.id,
            "case_id": case.id,
            "budget_key": charge.card.budget_key if charge.card else None,
            "amount_minor": charge.amount.minor,
            "currency": charge.amount.currency,
            "at": charge.created_at,
            "initiator": charge.initiator.value if charge.initiator else None,
            "signals": codec.signals_json(charge.signals),
            "counts": charge.signals is None or charge.signals.reached_network,
        }
        for charge in charges
        if charge.status is ChargeStatus.FAILED and charge.id not in known and charge.idempotency_key not in keys
    ]
    if rows:
        tx.execute(pg_insert(foreign_charges).on_conflict_do_nothing(), rows)
