"""The pay call over HTTP, with everything that can go wrong on its way.

Without a charge that lands while nobody listens, an engine's settling of unknown outcomes would stay a theory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from recovery.simulation.sandbox.calls import Call
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import (
    Json,
    Refused,
    key_in_use,
    not_permitted,
    rate_limited,
    server_error,
    wrong_key,
)
from recovery.simulation.sandbox.faults import PayFault
from recovery.simulation.sandbox.form import as_bool
from recovery.simulation.sandbox.orders import PayOrder, Tried
from recovery.simulation.sandbox.paying import begin, check_payable, finish, release
from recovery.simulation.sandbox.settling import paid

_SLICE_SECONDS = 0.05  # how soon a pause notices that the server is closing


class ConnectionBroken(Exception):
    """The answer, if any, must not reach the client: the connection is reset.

    `refused` or `answer` is what an idempotency key keeps; both None: the request never started.
    """

    def __init__(self, *, answer: Json | None = None, refused: Refused | None = None) -> None:
        super().__init__("connection broken on purpose")
        self.answer = answer
        self.refused = refused


async def pause(core: Core, seconds: float) -> None:
    """Machine seconds without holding anything; ends early when the server closes."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not core.closing.is_set():
        await asyncio.sleep(min(left, _SLICE_SECONDS))


def refuse_before(fault: PayFault | None) -> None:
    """Faults that end a pay call before anything is executed or remembered.

    Raises Refused or ConnectionBroken.
    """
    if fault is None:
        return
    refusals: dict[str, Callable[[], Refused]] = {
        "unauthorized": lambda: wrong_key("sk_test_revoked"),
        "forbidden": not_permitted,
        "rate_limited": rate_limited,
        "conflict": lambda: key_in_use("of another request"),
    }
    if fault.kind in refusals:
        raise refusals[fault.kind]()
    if fault.kind == "reset_before":
        raise ConnectionBroken


async def pay(call: Call, fault: PayFault | None) -> Json:
    """One pay call, with its fault.

    Raises Refused as Stripe would answer, or ConnectionBroken.
    """
    core, kind, seconds = call.core, fault.kind if fault else None, fault.seconds if fault else 0.0
    if kind == "server_error":
        raise server_error()
    if kind == "late_charge":
        await pause(core, seconds)
    elif kind == "slow":
        await pause(core, seconds / 2)
    if core.closing.is_set():
        raise ConnectionBroken
    answer, refused = await _execute(replace(call, cause=replace(call.cause, at=core.now())))
    if kind == "slow":
        await pause(core, seconds / 2)
    if kind == "charge_then_hang":
        await pause(core, seconds)
    if kind == "charge_then_500":
        raise server_error()
    if kind in ("charge_then_hang", "late_charge", "reset_after"):
        raise ConnectionBroken(answer=answer, refused=refused)
    if refused is not None:
        raise refused
    assert answer is not None, "an attempt is answered or refused"
    return answer


async def _execute(call: Call) -> tuple[Json | None, Refused | None]:
    try:
        return await _attempt(call), None
    except Refused as refused:
        return None, refused


async def _attempt(call: Call) -> Json:
    core, params = call.core, call.params
    off_session = as_bool(params.get("off_session", "true"), "off_session")
    order = PayOrder(
        invoice=call.ids[0],
        cause=call.cause,
        payment_method=params.get("payment_method") or None,
        may_authenticate=not off_session,
    )
    if as_bool(params.get("paid_out_of_band", "false"), "paid_out_of_band"):
        with core.store.lock:
            return _out_of_band(call, order)
    with core.store.lock:
        tried = begin(core, order)
    await _issuer_time(core, tried)
    with core.store.lock:
        return call.show(finish(core, tried))


async def _issuer_time(core: Core, tried: Tried) -> None:
    seconds = tried.answer.latency_seconds or core.options.issuer_latency_seconds
    if seconds <= 0:
        return
    try:
        await pause(core, seconds)
    except asyncio.CancelledError:
        with core.store.lock:
            release(core, tried.order)
        raise


def _out_of_band(call: Call, order: PayOrder) -> Json:
    invoice = call.core.store.get("invoice", order.invoice)
    check_payable(call.core, invoice, order)
    paid(call.core, invoice, call.cause, charge=None)
    return call.show(invoice)
