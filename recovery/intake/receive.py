"""Takes a webhook in: verify, store once, answer. Work comes later, so that a slow gateway read never makes it repeat."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Engine

from recovery.gateways.port import Gateway, Notice
from recovery.intake.idle import is_idle
from recovery.storage.event_store import StoredEvent, store_event

REFUSALS = frozenset({"charge.failed", "invoice.payment_failed", "payment_intent.payment_failed"})
"""The kinds of which a call of ours learns all that they tell from its answer."""


class Receipt(StrEnum):
    """What became of a webhook. All of them are acknowledged; known is what was here already, or is heard from a call's answer."""

    STORED = "stored"
    KNOWN = "known"
    NOT_OURS = "not_ours"


def receive(
    database: Engine,
    gateway: Gateway,
    body: bytes,
    signature: str,
    *,
    kinds: Collection[str],
    machine_now: datetime,
) -> Receipt:
    """Verify and store one webhook. Raises SignatureRejected, PayloadRejected and the database's own errors."""
    event = noticed(gateway, body, signature, kinds=kinds, machine_now=machine_now)
    if event is None:
        return Receipt.NOT_OURS
    with database.begin() as tx:
        fresh = store_event(tx, event, machine_now=machine_now)
    return Receipt.STORED if fresh else Receipt.KNOWN


def noticed(
    gateway: Gateway, body: bytes, signature: str, *, kinds: Collection[str], machine_now: datetime
) -> StoredEvent | None:
    """Verify one webhook; the event to store, None for one that is not ours. Raises SignatureRejected, PayloadRejected."""
    notice = gateway.verify(body, signature, machine_now=machine_now)
    ours = notice.kind in kinds and not is_idle(notice.kind, notice.content)
    return event_of(notice, gateway.name) if ours else None


def event_of(notice: Notice, gateway: str) -> StoredEvent:
    """A notice as it is kept."""
    return StoredEvent(
        gateway=gateway,
        id=notice.id,
        kind=notice.kind,
        livemode=notice.livemode,
        created_at=notice.created_at,
        object_id=notice.object_id,
        content=notice.content,
        idempotency_key=notice.idempotency_key,
        caused_by_request=notice.caused_by_request,
        refusal=notice.kind in REFUSALS,
    )
