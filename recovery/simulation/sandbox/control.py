"""The control plane `/_sandbox/…`: for drivers, tests and people, never for the engine.

Without it a driver in another process could neither move the world along nor read the ledger.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.faults import PAY_KINDS, PayFault, WebhookFault


def state(core: Core) -> dict[str, Any]:
    """Business instant, next due instant, and what is still under way."""
    with core.store.lock:
        due = core.agenda.next_due_at
        return {
            "business_now": core.now().isoformat(),
            "next_due_at": due.isoformat() if due else None,
            "pending_webhooks": core.deliveries.pending,
            "in_flight_requests": core.in_flight,
            "webhooks": {"delivered": core.deliveries.delivered, "given_up": core.deliveries.given_up},
            "faults_happened": dict(core.faults.happened),
        }


def play(core: Core, until: datetime) -> int:
    """Perform everything due at or before `until`, in order; the number of acts performed."""
    played = 0
    while True:
        with core.store.lock:  # released between acts, so that API calls get their turn
            due = core.agenda.pop_due(until)
            if due is None:
                return played
            at, act = due
            act(at)
        played += 1


def instant(text: str) -> datetime:
    """An aware instant from ISO 8601. Raises ValueError for a naive one."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"an instant needs its offset: {text}")
    return found.astimezone(UTC)


def set_faults(core: Core, wish: dict[str, Any]) -> None:
    """`{"clear": true, "queue": [{"kind": …, "seconds": …}], "probabilities": {…}, "seconds": {…}, "seed": 1}`.

    Raises ValueError or TypeError for what is not a fault.
    """
    if wish.get("clear"):
        core.faults.clear()
    made: list[PayFault | WebhookFault] = []
    for entry in wish.get("queue", []):
        made.append(PayFault(**entry) if entry.get("kind") in PAY_KINDS else WebhookFault(**entry))
    core.faults.queue(made)
    if "probabilities" in wish:
        core.faults.set_probabilities(wish["probabilities"], seed=int(wish.get("seed", 0)), seconds=wish.get("seconds"))


def mail(core: Core, address: str) -> bool:
    """An email with our link reached this address; whether anybody in the world knows it."""
    with core.store.lock:
        known = [listener(address, core.now()) for listener in core.mail_listeners]
    return any(known)


async def _state(core: Core, _: Request) -> Response:
    return JSONResponse(state(core))


async def _play(core: Core, request: Request) -> Response:
    until = instant((await request.json())["until"])
    return JSONResponse({"played": await run_in_threadpool(play, core, until), **state(core)})


async def _ledger(core: Core, _: Request) -> Response:
    with core.store.lock:
        return JSONResponse(core.ledger.as_json())


async def _faults(core: Core, request: Request) -> Response:
    set_faults(core, await request.json())
    return JSONResponse(state(core))


async def _mail(core: Core, request: Request) -> Response:
    known = mail(core, (await request.json())["to"])
    return JSONResponse({"known": known})


async def _customers(core: Core, _: Request) -> Response:
    with core.store.lock:
        return JSONResponse({"customers": list(core.store.newest("customer"))})


ControlRoute = tuple[str, str, Callable[[Core, Request], Awaitable[Response]]]
CONTROL: tuple[ControlRoute, ...] = (
    ("GET", "/_sandbox/state", _state),
    ("POST", "/_sandbox/play", _play),
    ("GET", "/_sandbox/ledger", _ledger),
    ("POST", "/_sandbox/faults", _faults),
    ("POST", "/_sandbox/mail", _mail),
    ("GET", "/_sandbox/customers", _customers),
)
