"""Attempts as rows. Their keys and reserved budgets exist before the gateway is called."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from recovery.cases.case import Attempt
from recovery.cases.lifecycle import OPEN_ATTEMPTS, SPENT, AttemptStatus
from recovery.storage import codec
from recovery.storage.tables import attempts, cases


def insert_attempt(tx: Connection, case_id: str, attempt: Attempt, *, step_id: int) -> None:
    """Commit to an attempt before the gateway is called: from here on its key exists and its budget is reserved."""
    row = _attempt_row(attempt) | {
        "id": attempt.id,
        "case_id": case_id,
        "step_id": step_id,
        "number": attempt.number,
        "card": codec.card_json(attempt.card),
        "budget_key": attempt.card.budget_key,
        "amount_minor": attempt.amount.minor,
        "currency": attempt.amount.currency,
        "started_at": attempt.started_at,
        "purpose": attempt.purpose.value,
        "zone": attempt.zone,
    }
    tx.execute(_BEGIN, row)


_BEGIN = insert(attempts)
_CHANGE = update(attempts).where(attempts.c.id == bindparam("attempt_id"))
_WHOSE = select(attempts.c.case_id, attempts.c.status).where(attempts.c.id == bindparam("attempt_id"))


def _attempt_row(attempt: Attempt) -> dict[str, Any]:
    reached = attempt.signals is None or attempt.signals.reached_network
    return {
        "status": attempt.status.value,
        "signals": codec.signals_json(attempt.signals),
        "decline_class": attempt.decline_class.value if attempt.decline_class else None,
        "charge_id": attempt.charge_id,
        "counts": attempt.status in SPENT and reached,
    }


def save_changed_attempts(tx: Connection, before: Sequence[Attempt], after: Sequence[Attempt]) -> None:
    """Write the attempts that a decision changed; the others are left alone."""
    known = {a.id: a for a in before}
    for attempt in after:
        if attempt.id in known and known[attempt.id] != attempt:
            tx.execute(_CHANGE, _attempt_row(attempt) | {"attempt_id": attempt.id})


def case_of_attempt(tx: Connection, attempt_id: str) -> tuple[str, AttemptStatus] | None:
    """The case and status of an attempt, by its id (which is the idempotency key); None when it is not ours."""
    row = tx.execute(_WHOSE, {"attempt_id": attempt_id}).first()
    return None if row is None else (row[0], AttemptStatus(row[1]))


def open_attempt_of_obligation(tx: Connection, obligation: str) -> tuple[str, AttemptStatus] | None:
    """Id and status of the attempt that is open on an obligation, or None."""
    found = (
        select(attempts.c.id, attempts.c.status)
        .join(cases)
        .where(cases.c.obligation == obligation, attempts.c.status.in_(OPEN_ATTEMPTS))
    )
    row = tx.execute(found).one_or_none()
    return None if row is None else (row[0], AttemptStatus(row[1]))


def attempt_of_charge(tx: Connection, charge_id: str) -> str | None:
    """The attempt that made a charge, or None."""
    return tx.execute(select(attempts.c.id).where(attempts.c.charge_id == charge_id)).scalar_one_or_none()


def attempt_of_step(tx: Connection, step_id: int) -> str | None:
    """The attempt made under a step, or None when the worker never got that far."""
    found = select(attempts.c.id).where(attempts.c.step_id == step_id).order_by(attempts.c.number.desc()).limit(1)
    return tx.execute(found).scalar_one_or_none()
