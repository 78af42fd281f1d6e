"""Answering one request of Stripe's API: key, route, parameters, idempotency, handler.

Without this order a refused parameter could leave an idempotency key behind, or a replay could charge again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from recovery.simulation.sandbox import routes_billing, routes_customers, routes_payments
from recovery.simulation.sandbox.calls import Call, Handler
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.endpoints import Endpoint, Routes
from recovery.simulation.sandbox.errors import Json, Refused, not_permitted, unsupported, wrong_key
from recovery.simulation.sandbox.faults import PayFault
from recovery.simulation.sandbox.form import check_known, nested, pairs
from recovery.simulation.sandbox.idempotency import SavedAnswer
from recovery.simulation.sandbox.pay_call import ConnectionBroken, pay, refuse_before

HANDLERS: Mapping[str, Handler] = routes_customers.HANDLERS | routes_billing.HANDLERS | routes_payments.HANDLERS
PAY = "invoices.pay"
_ROUTES = Routes()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """The parts of an HTTP request that matter here; `text` is the query string or the form body."""

    method: str
    path: str
    text: str
    key: str
    request_id: str
    idempotency_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAnswer:
    """What goes back; `broken`: the connection is reset instead."""

    status: int = 200
    body: bytes = b""
    replayed: bool = False
    should_retry: bool | None = None
    broken: bool = False


async def answer(core: Core, secret_key: str, request: ApiRequest) -> ApiAnswer:
    """The answer to one request; every refusal is an answer too."""
    try:
        endpoint, call = _read(core, secret_key, request)
        fault = None
        if endpoint.name == PAY:
            fault = core.faults.for_pay(call.ids[0])
            refuse_before(fault)
    except Refused as refused:
        return _refusal(refused)
    except ConnectionBroken:
        return ApiAnswer(broken=True)
    key = request.idempotency_key if request.method == "POST" else None
    if key is not None:
        fingerprint = f"{request.method} {request.path} {urlencode(sorted(pairs(request.text)))}"
        try:
            with core.store.lock:
                saved = core.keys.begin(key, fingerprint, core.now())
        except Refused as refused:
            return _refusal(refused)
        if saved is not None:
            return ApiAnswer(status=saved.status, body=saved.body, replayed=True)
    made, keep = ApiAnswer(status=500), False
    try:
        made, keep = await _execute(endpoint, call, fault)
    finally:
        if key is not None:
            with core.store.lock:
                if keep:
                    core.keys.save(key, SavedAnswer(status=made.status, body=made.body))
                else:
                    core.keys.forget(key)
    return made


def _read(core: Core, secret_key: str, request: ApiRequest) -> tuple[Endpoint, Call]:
    restricted = request.key in core.options.restricted_keys
    if request.key != secret_key and not restricted:
        raise wrong_key(request.key)
    found = _ROUTES.find(request.method, request.path)
    if found is None:
        raise unsupported(f"The sandbox does not speak {request.method} {request.path}.")
    if restricted and request.method != "GET":
        raise not_permitted()
    endpoint, ids = found
    given = pairs(request.text)
    check_known(given, endpoint.params)
    cause = core.cause("engine", request_id=request.request_id, key=request.idempotency_key)
    return endpoint, Call(core=core, path=request.path, ids=ids, params=nested(given), cause=cause)


async def _execute(endpoint: Endpoint, call: Call, fault: PayFault | None) -> tuple[ApiAnswer, bool]:
    """The answer, and whether an idempotency key keeps it."""
    try:
        if endpoint.name == PAY:
            return _success(await pay(call, fault)), True
        with call.core.store.lock:
            return _success(HANDLERS[endpoint.name](call)), True
    except Refused as refused:
        return _refusal(refused), refused.saved
    except ConnectionBroken as broken:
        if broken.refused is not None:
            kept = _refusal(broken.refused)
        elif broken.answer is not None:
            kept = _success(broken.answer)
        else:
            return ApiAnswer(broken=True), False
        return ApiAnswer(status=kept.status, body=kept.body, broken=True), True


def _success(body: Json) -> ApiAnswer:
    return ApiAnswer(body=json.dumps(body, separators=(",", ":")).encode())


def _refusal(refused: Refused) -> ApiAnswer:
    body = json.dumps(refused.body, separators=(",", ":")).encode()
    return ApiAnswer(status=refused.status, body=body, should_retry=refused.should_retry)
