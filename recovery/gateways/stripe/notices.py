"""An event's JSON, snapshot or thin, as a Notice. Without it the webhook and the events list would tell two different stories."""

from datetime import UTC, datetime
from typing import Final

from recovery.gateways.port import Notice, PayloadRejected
from recovery.gateways.stripe.fields import Json, flag, ident, instant, mapping, text
from recovery.gateways.stripe.reduce import reduced

KINDS: Final[frozenset[str]] = frozenset(
    {
        "invoice.payment_failed",
        "invoice.payment_action_required",
        "invoice.paid",
        "invoice.updated",
        "invoice.voided",
        "invoice.marked_uncollectible",
        "invoice_payment.paid",
        "payment_intent.payment_failed",
        "charge.failed",
        "charge.refunded",
        "charge.dispute.created",
        "charge.dispute.closed",
        "charge.refund.updated",
        "refund.updated",
        "refund.failed",
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "payment_method.automatically_updated",
        "payment_method.updated",
        "payment_method.attached",
        "payment_method.detached",
        "customer.source.updated",
        "customer.updated",
    }
)
"""The events that intake stores. Everything else is acknowledged and forgotten."""

# Which key of the content names the object of a thin event; the first match counts.
_THIN_NAMES: Final = (
    ("invoice_payment.", "invoice_payment"),
    ("invoice.", "invoice"),
    ("payment_intent.", "payment_intent"),
    ("payment_method.", "payment_method"),
    ("charge.dispute.", "dispute"),
    ("charge.refund.", "refund"),
    ("charge.", "charge"),
    ("refund.", "refund"),
    ("customer.subscription.", "subscription"),
    ("customer.source.", "payment_method"),
    ("customer.", "customer"),
)


def notice_of(event: Json) -> Notice:
    """The event reduced. Raises PayloadRejected if id, kind, instant or object are missing."""
    return _thin(event) if text(event, "object") == "v2.core.event" else _snapshot(event)


def cause_of(event: Json) -> tuple[bool, str | None]:
    """Whether an API call caused the event, and under which idempotency key."""
    request = event.get("request") or mapping(event, "reason", "request")
    if isinstance(request, str):  # before 2017-05-25 the bare id of the request
        return bool(request), None
    key = _usable(text(request, "idempotency_key"))
    return key is not None or text(request, "id") is not None, key


def _snapshot(event: Json) -> Notice:
    thing = mapping(event, "data", "object")
    if thing is None:
        raise PayloadRejected("the event has no object")
    kind = _needed(text(event, "type"), "type")
    called, key = cause_of(event)
    return Notice(
        id=_needed(text(event, "id"), "id"),
        kind=kind,
        livemode=flag(event, "livemode"),
        created_at=_instant(instant(event, "created")),
        object_id=_usable(ident(thing)) or "",  # some objects have none: a balance, an upcoming invoice
        content=reduced(kind, thing, previous=mapping(event, "data", "previous_attributes")) if kind in KINDS else {},
        idempotency_key=key,
        caused_by_request=called,
    )


def _thin(event: Json) -> Notice:
    """Only names what changed; whoever handles it reads the object afresh."""
    kind = _needed(text(event, "type"), "type").removeprefix("v1.")
    name = _usable(ident(event, "related_object")) or ""
    known = next((key for prefix, key in _THIN_NAMES if kind.startswith(prefix)), None)
    called, key = cause_of(event)
    return Notice(
        id=_needed(text(event, "id"), "id"),
        kind=kind,
        livemode=flag(event, "livemode"),
        created_at=_instant(_written_instant(text(event, "created"))),
        object_id=name,
        content={known: name} if kind in KINDS and known and name else {},
        idempotency_key=key,
        caused_by_request=called,
    )


def _written_instant(written: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(written) if written else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None


def _usable(found: str | None) -> str | None:
    # Stripe's ids, kinds and keys are plain ASCII; anything else would not fit into keys, metrics and the database.
    return found if found and found.isascii() and found.isprintable() and len(found) <= 255 else None


def _needed(found: str | None, what: str) -> str:
    usable = _usable(found)
    if usable is None:
        raise PayloadRejected(f"the event has no usable {what}")
    return usable


def _instant(at: datetime | None) -> datetime:
    if at is None:
        raise PayloadRejected("the event has no instant")
    return at
