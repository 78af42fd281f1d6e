"""Events: what the gateway says has happened, kept for listing and handed to delivery.

Without the causing call's idempotency key in each event nobody could tell the engine's own attempts from the
gateway's retries and the customer's payments.
"""

from __future__ import annotations

from datetime import timedelta

from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json
from recovery.simulation.sandbox.event_types import EVENT_TYPES
from recovery.simulation.sandbox.ledger import Cause
from recovery.simulation.sandbox.settings import API_VERSIONS
from recovery.simulation.sandbox.shapes import shown
from recovery.simulation.sandbox.templates import build


def emit(core: Core, cause: Cause, kind: str, thing: Json, *, changed: Json | None = None) -> None:
    """Record an event with a snapshot of the object and hand it to delivery.

    `changed` holds the previous values for `data.previous_attributes` of an update. What a world's people did
    before the sandbox opened (`core.silent`) is no event.
    """
    if kind not in EVENT_TYPES:
        raise KeyError(f"no such type of event: {kind}")
    if core.silent:
        return
    shape = core.options.event_shape or core.options.shape
    content: Json = {"object": shown(core.store, thing, shape)}
    if changed is not None:
        content["previous_attributes"] = changed
    scope = thing.get("customer") or thing["id"]
    event = build(
        "event",
        core.store.new_id("evt", str(scope)),
        api_version=API_VERSIONS[shape],
        created=cause.timestamp,
        data=content,
        pending_webhooks=len(core.deliveries.endpoints),
        request={"id": cause.request_id, "idempotency_key": cause.idempotency_key},
        type=kind,
    )
    core.store.add(event)
    _deliver(core, event, cause)


def _deliver(core: Core, event: Json, cause: Cause) -> None:
    fault = core.faults.for_webhook(event["id"], event["type"])
    if fault is None:
        core.deliveries.put(event)
    elif fault.kind == "doubled":
        core.deliveries.put(event)
        core.deliveries.put(event)
    elif fault.kind in ("late", "reordered"):
        core.deliveries.put(event, delay_seconds=fault.seconds)
    elif fault.kind == "late_business":
        due_at = cause.at + timedelta(seconds=fault.seconds)
        core.agenda.add(due_at, event["id"], lambda _: core.deliveries.put(event))
    # lost: nobody is told; the events list still has it
