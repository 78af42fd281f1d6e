"""The web application: Stripe's API, the customer's pages and the control plane on one port.

Without one thin shell the parts below would depend on a web framework, and could not be tested without it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from recovery.simulation.sandbox.api import ApiAnswer, ApiRequest, answer
from recovery.simulation.sandbox.control import CONTROL
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.pages import invoice_page, portal_page

_METHODS = ["GET", "POST", "DELETE", "PUT", "PATCH"]
Page = Callable[[Core, Request], Awaitable[Response]]


def build_app(core: Core, secret_key: str) -> Starlette:
    """The ASGI application of one sandbox."""

    async def api(request: Request) -> Response:
        return await _api(core, secret_key, request)

    def bound(page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                return await page(core, request)
            except (ValueError, KeyError, TypeError) as wrong:
                return JSONResponse({"error": f"{type(wrong).__name__}: {wrong}"}, status_code=400)

        return endpoint

    routes = [Route(path, bound(page), methods=[method]) for method, path, page in CONTROL]
    routes.append(Route("/pages/invoice/{id}", bound(invoice_page), methods=["GET", "POST"]))
    routes.append(Route("/pages/portal/{id}", bound(portal_page), methods=["GET", "POST"]))
    routes.append(Route("/{path:path}", api, methods=_METHODS))
    return Starlette(routes=routes)


async def _api(core: Core, secret_key: str, request: Request) -> Response:
    with core.store.lock:
        request_id = core.store.new_id("req")
        core.in_flight += 1
    try:
        text = request.url.query if request.method in ("GET", "DELETE") else (await request.body()).decode()
        made = await answer(
            core,
            secret_key,
            ApiRequest(
                method=request.method,
                path=request.url.path,
                text=text,
                key=_key(request.headers.get("authorization", "")),
                request_id=request_id,
                idempotency_key=request.headers.get("idempotency-key"),
            ),
        )
    finally:
        with core.store.lock:
            core.in_flight -= 1
    if made.broken:
        await _reset(request)
    return _response(made, request, request_id)


def _key(authorization: str) -> str:
    """The API key of a Bearer or Basic header; empty when there is none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _response(made: ApiAnswer, request: Request, request_id: str) -> Response:
    headers = {"Request-Id": request_id}
    key = request.headers.get("idempotency-key")
    if key:
        headers["Idempotency-Key"] = key
    if made.replayed:
        headers["Idempotent-Replayed"] = "true"
    if made.should_retry is not None:
        headers["Stripe-Should-Retry"] = "true" if made.should_retry else "false"
    return Response(made.body, status_code=made.status, headers=headers, media_type="application/json")


async def _reset(request: Request) -> None:
    """Break the connection without an answer.

    ASGI has no message for it, so the server's own request object (whose `receive` this is) is asked for its
    transport. A server without one gets the plain 500 that follows.
    """
    cycle: Any = getattr(request.receive, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is not None:
        transport.abort()
        # Two turns of the loop: the server notices the lost connection and drops the response.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
