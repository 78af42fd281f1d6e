"""What the merchant's app is told, as rows written in the same commit as the decision. Without them a crash would lose the news."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from recovery.cases.case import Case, Decision
from recovery.cases.lifecycle import State
from recovery.storage.mail_tables import messages
from recovery.storage.moment import Moment

KINDS = ("case.opened", "case.dunning_started", "case.recovered", "case.lost", "case.withdrawn")
_OF_STATE = {
    State.DUNNING: "case.dunning_started",
    State.RECOVERED: "case.recovered",
    State.LOST: "case.lost",
    State.WITHDRAWN: "case.withdrawn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to the merchant's app. ``due_at`` and ``delivered_at`` are machine time."""

    id: str
    case_id: str
    kind: str
    state: str
    tries: int
    due_at: datetime
    delivered_at: datetime | None
    error: str | None
    body: bytes


def note_messages(tx: Connection, before: Case, decision: Decision, *, journal_id: int, moment: Moment) -> None:
    """Write what the merchant is to be told of a decision: a case that opened, or that came to another state."""
    after = decision.case
    kinds = ["case.opened"] if before.verdict is None and after.verdict is not None and not before.steps else []
    if after.state is not before.state and after.state in _OF_STATE:
        kinds.append(_OF_STATE[after.state])
    if not kinds:
        return
    rows = [
        {
            "id": f"msg_{journal_id}_{kind.partition('.')[2]}",
            "case_id": after.id,
            "kind": kind,
            "content": _content(after, kind, moment),
            "state": "waiting",
            "tries": 0,
            "due_at": moment.machine_now,
        }
        for kind in kinds
    ]
    tx.execute(insert(messages), rows)


def _content(case: Case, kind: str, moment: Moment) -> dict[str, Any]:
    return {
        "type": kind,
        "timestamp": moment.now.isoformat(),
        "data": {
            "case": case.id,
            "invoice": case.obligation,
            "customer": case.customer,
            "subscription": case.subscription,
            "amount_minor": case.amount.minor,
            "currency": case.amount.currency,
            "state": case.state.value,
            "source": case.source.value if case.source else None,
            "left_because": case.left_because,
        },
    }


def claim_messages(tx: Connection, *, machine_now: datetime, limit: int, lease_seconds: float) -> list[Message]:
    """Take waiting messages that nobody else delivers now; each comes up again when the lease is over."""
    due = (
        select(messages.c.id)
        .where(messages.c.state == "waiting", messages.c.due_at <= machine_now)
        .order_by(messages.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = (
        update(messages)
        .where(messages.c.id == due.c.id)
        .values(due_at=machine_now + timedelta(seconds=lease_seconds), tries=messages.c.tries + 1)
        .returning(*messages.c)
    )
    return [_message(row) for row in tx.execute(taken).mappings()]


def finish_message(
    tx: Connection,
    message_id: str,
    state: str,
    *,
    at: datetime,
    due_at: datetime | None = None,
    error: str | None = None,
) -> None:
    """Write what came of one delivery: delivered, waiting (again at ``due_at``) or given up."""
    values: dict[str, Any] = {"state": state, "error": error, "delivered_at": at if state == "delivered" else None}
    if due_at is not None:
        values["due_at"] = due_at
    tx.execute(update(messages).where(messages.c.id == message_id).values(values))


def replay_messages(tx: Connection, message_id: str | None, *, machine_now: datetime) -> int:
    """Put one message back in line, or all that were given up; how many."""
    which = messages.c.state == "given_up" if message_id is None else messages.c.id == message_id
    again = update(messages).where(which).values(state="waiting", tries=0, due_at=machine_now, error=None)
    return len(tx.execute(again.returning(messages.c.id)).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """How the telling goes: what waits, what of it was refused before, what was given up, and the last error of any of these."""

    waiting: int
    failing: int
    given_up: int
    last_error: str | None


def undelivered(tx: Connection) -> Undelivered:
    """Count what was not delivered."""
    waits, lost = messages.c.state == "waiting", messages.c.state == "given_up"
    errors = select(messages.c.error).where(messages.c.state != "delivered", messages.c.error.is_not(None))
    row = tx.execute(
        select(
            func.count().filter(waits).label("waiting"),
            func.count().filter(waits, messages.c.error.is_not(None)).label("failing"),
            func.count().filter(lost).label("given_up"),
            errors.order_by(lost.desc(), messages.c.due_at.desc()).limit(1).scalar_subquery().label("last_error"),
        ).where(messages.c.state != "delivered")
    ).mappings()
    return Undelivered(**row.one())


def list_messages(tx: Connection, *, state: str | None, limit: int) -> Sequence[Message]:
    """Messages, newest first."""
    query = select(messages).order_by(messages.c.due_at.desc(), messages.c.id).limit(limit)
    if state is not None:
        query = query.where(messages.c.state == state)
    return [_message(row) for row in tx.execute(query).mappings()]


def _message(row: Any) -> Message:  # noqa: ANN401 - a row
    body = json.dumps(row["content"], separators=(",", ":"), sort_keys=True).encode()
    names = ("id", "case_id", "kind", "state", "tries", "due_at", "delivered_at", "error")
    return Message(**{name: row[name] for name in names}, body=body)
