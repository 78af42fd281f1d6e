"""The gateway's events, each stored once. Without it a doubled webhook would be two facts and a crash would lose one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.sql.dml import ReturningInsert

from recovery.cases.lifecycle import REFUSED, AttemptStatus
from recovery.storage.columns import word
from recovery.storage.step_store import FAIR_AMONG, SUSPECT_AFTER
from recovery.storage.tables import attempts, events

KEPT_DAYS = 90
"""Stripe repeats a webhook for three days and lists its events for thirty: an older one never comes again."""

DROPPED_MAX = 1000
"""Old events deleted in one transaction: some hundredths of a second."""

_INSTANT = events.c.hold_until.type
WAITING = word("waiting")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """One accepted event, as intake left it. ``created_at`` is the gateway's business time, ``received_at`` ours of the machine; None
    before it is stored."""

    gateway: str
    id: str
    kind: str
    livemode: bool
    created_at: datetime
    object_id: str
    content: Mapping[str, Any]
    idempotency_key: str | None
    caused_by_request: bool
    failures: int = 0
    received_at: datetime | None = None
    unended: int = 0
    """How many claims in a row nobody ended, this one included: each may have been the end of its worker."""
    refusal: bool = False
    """Before it is stored: it tells of a refused charge only, which is nothing new where a call of ours made it."""


def store_event(tx: Connection, event: StoredEvent, *, machine_now: datetime) -> bool:
    """Keep an event; whether it waits to be worked through."""
    return bool(store_events(tx, [event], machine_now=machine_now))


def store_events(tx: Connection, batch: Collection[StoredEvent], *, machine_now: datetime) -> set[str]:
    """Keep several events by one statement; the ids of those that wait to be worked through, which is none that was here already. An
    event twice in it is kept once.

    The refusal of a call of ours is kept as done: its worker tells the case what the gateway answered, or its lease lapses, and the
    attempt is settled by reading. A third of a busy shop's events tells nothing else.
    """
    told = {event.id: _told(event) for event in batch}
    # In one order everywhere: two of these at once must not wait for each other's rows in turn.
    given = {"told": [told[name] for name in sorted(told)], "machine_now": machine_now}
    return {row.id for row in tx.execute(_STORE, given) if row.state == "waiting"}


_TOLD = (
    "gateway",
    "id",
    "kind",
    "livemode",
    "created_at",
    "object_id",
    "content",
    "idempotency_key",
    "caused_by_request",
)


def _told(event: StoredEvent) -> dict[str, object]:
    plain = {"created_at": event.created_at.isoformat(), "content": dict(event.content), "refusal": event.refusal}
    return {name: getattr(event, name) for name in _TOLD} | plain


_ANSWERED = (AttemptStatus.IN_FLIGHT, AttemptStatus.SUCCEEDED, *sorted(REFUSED))
"""Attempts whose worker tells, or has told, what became of them. Of an unknown or processing one the event may be the only trace."""


def _store() -> ReturningInsert[str, str]:
    """One text with one value however many events there are: prepared once, where a list of rows is bound field by field."""
    told = func.json_to_recordset(bindparam("told", type_=JSON))
    columns = (*(Column(name, events.c[name].type) for name in _TOLD), Column("refusal", Boolean))
    rows = told.table_valued(*columns).render_derived(with_types=True)
    ours = exists().where(attempts.c.id == rows.c.idempotency_key, attempts.c.status.in_(map(word, _ANSWERED)))
    known = and_(rows.c.refusal, ours)
    found = select(
        *(rows.c[name] for name in _TOLD),
        bindparam("machine_now", type_=_INSTANT),
        case((known, word("done")), else_=WAITING),
        case((known, literal("known from the answer to our call, or settled by reading"))),
    )
    into = pg_insert(events).from_select([*_TOLD, "received_at", "state", "detail"], found)
    return into.on_conflict_do_nothing().returning(events.c.id, events.c.state)


_STORE = _store()


def claim_events(
    tx: Connection, *, machine_now: datetime, lease_until: datetime, limit: int, suspects: bool = False
) -> list[StoredEvent]:
    """Take waiting events in the order of arrival. A claim is a hold: whoever dies leaves them to others when it ends.

    The claim is counted before anything is done; ``suspects``, begun twice and never ended, are claimed apart.
    """
    given = {"machine_now": machine_now, "lease_until": lease_until, "most": limit, "among": max(FAIR_AMONG, limit)}
    rows = sorted(tx.execute(_claim(suspects), given).mappings().all(), key=lambda row: int(row["seq"]))
    return [_stored(row) for row in rows]


def waiting_kinds(tx: Connection, *, machine_now: datetime) -> tuple[bool, bool]:
    """Whether an event could be claimed now, and whether a suspect: one question, not two claims, where mostly nothing waits."""
    found = set(tx.execute(_WAITING, {"machine_now": machine_now}).scalars())
    return False in found, True in found


def _free() -> ColumnElement[bool]:
    """What makes an event claimable: waiting, and held by nobody."""
    free = or_(events.c.hold_until.is_(None), events.c.hold_until <= bindparam("machine_now", type_=_INSTANT))
    return and_(events.c.state == WAITING, free)


@cache  # putting this together takes longer than the database needs for it
def _claim(suspects: bool) -> Update:
    least_suspect = (events.c.unended,) if suspects else ()  # a bystander of the deaths is let go before their cause
    customer = func.coalesce(events.c.content["customer"].astext, events.c.id)
    oldest = (
        select(events.c.seq, events.c.unended, customer.label("customer"))
        .where(
            _free(),
            events.c.unended >= SUSPECT_AFTER if suspects else events.c.unended < SUSPECT_AFTER,
        )
        .order_by(*least_suspect, events.c.seq)
        .limit(bindparam("among", type_=Integer))
        .subquery()
    )
    # One of each customer before the second of any.
    place = func.row_number().over(partition_by=oldest.c.customer, order_by=oldest.c.seq)
    turns = select(oldest, place.label("turn")).subquery()
    order = (*((turns.c.unended,) if suspects else ()), turns.c.turn, turns.c.seq)
    ready = (
        select(events.c.seq)
        .join(turns, turns.c.seq == events.c.seq)
        .where(_free())
        .order_by(*order)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(of=events, skip_locked=True)
        .cte("ready")  # evaluated once: as a plain subquery the limit could be passed over
    )
    # The state once more: without it the index of waiting events cannot be used, and each claim reads all events ever stored.
    taken = update(events).where(events.c.seq == ready.c.seq, events.c.state == WAITING)
    until = bindparam("lease_until", type_=_INSTANT)
    return taken.values(hold_until=until, unended=events.c.unended + 1).returning(events)


def _stored(row: RowMapping) -> StoredEvent:
    return StoredEvent(
        **{name: row[name] for name in _TOLD},
        failures=row["failures"],
        received_at=row["received_at"],
        unended=row["unended"],
    )


_WAITING = select(events.c.unended >= SUSPECT_AFTER).distinct().where(_free())


def finish_event(tx: Connection, event: StoredEvent, *, state: str, detail: str) -> None:
    """Note what an event led to: ``done``, or ``set_aside`` for a person."""
    _write(tx, event, state=state, detail=detail, hold_until=None, unended=0)


def hold_event(tx: Connection, event: StoredEvent, *, until: datetime, detail: str, failed: bool) -> None:
    """Let an event wait until a machine instant; ``failed`` counts it as a failure."""
    failures = event.failures + (1 if failed else 0)
    _write(tx, event, state="waiting", detail=detail, hold_until=until, failures=failures, unended=0)


def extend_claims(tx: Connection, claimed: Collection[StoredEvent], *, until: datetime) -> None:
    """Let claims on events that still wait end at ``until``, not before."""
    names = [(event.gateway, event.id) for event in claimed]
    ours = and_(tuple_(events.c.gateway, events.c.id).in_(names), events.c.state == WAITING)
    tx.execute(update(events).where(ours).values(hold_until=func.greatest(events.c.hold_until, until)))


def _write(tx: Connection, event: StoredEvent, **values: object) -> None:
    tx.execute(_THIS, {"this_gateway": event.gateway, "this_id": event.id, **values})


_THIS = update(events).where(events.c.gateway == bindparam("this_gateway"), events.c.id == bindparam("this_id"))


def drop_done(tx: Connection, *, machine_now: datetime) -> int:
    """Delete old events that are done, a bounded number; returns how many. What they led to stays in journal and ledger."""
    before = machine_now - timedelta(days=KEPT_DAYS)
    old = select(events.c.gateway, events.c.id).where(events.c.state == "done", events.c.received_at < before)
    these = tuple_(events.c.gateway, events.c.id).in_(old.limit(DROPPED_MAX))
    return int(tx.execute(delete(events).where(these)).rowcount)


def replay_set_aside(tx: Connection, event_id: str | None = None) -> int:
    """Put events that were set aside back in line; all of them, or one. Returns how many."""
    query = (
        update(events)
        .where(events.c.state == "set_aside")
        .values(state="waiting", hold_until=None, failures=0, unended=0)
    )
    if event_id is not None:
        query = query.where(events.c.id == event_id)
    return int(tx.execute(query).rowcount)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAside:
    """One event that waits for a person, and why."""

    id: str
    kind: str
    detail: str


def events_set_aside(tx: Connection, *, limit: int) -> list[EventAside]:
    """What was set aside, oldest first."""
    waiting = select(events.c.id, events.c.kind, events.c.detail).where(events.c.state == "set_aside")
    rows = tx.execute(waiting.order_by(events.c.seq).limit(limit))
    return [EventAside(id=row.id, kind=row.kind, detail=row.detail or "") for row in rows]


def event_counts(tx: Connection) -> dict[str, int]:
    """How many events are in each state that matters to an operator: waiting and set aside."""
    found = {state: int(count) for state, count in tx.execute(_COUNTS)}
    return {"waiting": found.get("waiting", 0), "set_aside": found.get("set_aside", 0)}


_COUNTS = (
    select(events.c.state, func.count()).where(events.c.state.in_(("waiting", "set_aside"))).group_by(events.c.state)
)
