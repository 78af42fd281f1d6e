"""Judges a round from outside: the gateway's own book, the mailbox and the rows. It asks none of the engine's code."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from chaos_stack import Installation, end_of
from sqlalchemy import Connection, text

from recovery.runtime.demo.outcome import outcome_of
from recovery.runtime.worlds import START_AT


def judge(made: Installation) -> list[str]:
    """Every violation found, in words; the demo's own checks among them."""
    ledger = made.world.ledger()
    outcome = outcome_of(made.database, ledger, made.caught, first=START_AT, until=end_of(made.scale))
    broken = [f"{name} does not hold" for name, held in outcome["checks"].items() if not held]
    with made.database.connect() as tx:
        return [*broken, *_keys(tx, ledger), *_rows(tx)]


def _keys(tx: Connection, ledger: dict[str, Any]) -> Iterator[str]:
    """Every charge of ours has its attempt, committed before, and happened once."""
    ours = [charge for charge in ledger["charges"] if charge["initiator"] == "engine"]
    attempts = {row.id: row for row in tx.execute(text("SELECT id, status, amount_minor FROM attempts"))}
    once = Counter(charge["idempotency_key"] for charge in ours if charge["outcome"] != "processing")
    yield from (f"key {key} was executed {times} times" for key, times in once.items() if times > 1)
    for charge in ours:
        attempt = attempts.get(charge["idempotency_key"])
        if attempt is None:
            yield f"{charge['charge']} has no attempt behind it"
        elif charge["outcome"] == "succeeded" and attempt.status != "succeeded":
            yield f"{charge['charge']} succeeded, its attempt is {attempt.status}"
    paid = Counter(charge["invoice"] for charge in ledger["charges"] if charge["outcome"] == "succeeded")
    yield from (f"{invoice} was paid {times} times" for invoice, times in paid.items() if times > 1)


def _rows(tx: Connection) -> Iterator[str]:
    """Nothing failed for a reason nobody meant, nothing is set aside, nothing is due and left lying."""
    for row in tx.execute(text("SELECT id, kind, case_id, failures, error FROM steps WHERE failures > 0")):
        yield f"step {row.id} {row.kind} of {row.case_id} failed {row.failures} times: {row.error}"
    for row in tx.execute(text("SELECT id, kind, case_id, error FROM steps WHERE set_aside_at IS NOT NULL")):
        yield f"step {row.id} {row.kind} of {row.case_id} was set aside: {row.error}"
    for row in tx.execute(text("SELECT id, kind, state, detail FROM events WHERE state <> 'done' OR failures > 0")):
        yield f"event {row.id} {row.kind} is {row.state}: {row.detail}"
    late = text("SELECT id, kind FROM steps WHERE state = 'in_flight'")
    yield from (f"step {row.id} {row.kind} is still in flight" for row in tx.execute(late))
