"""Takes bounces and complaints from whoever carries our email. Without it a dead address would be written to for weeks.

The request is signed in the form of Standard Webhooks: ``{"type": "bounced" | "complained", "data": {"message_id": …}}`` or with an
``address`` instead. Anything else that is signed is acknowledged and ignored.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from recovery.cases.facts import MailStopped
from recovery.dunning.standard_webhooks import SignatureWrong, check_signed
from recovery.engine.advance import advance
from recovery.gateways.port import GatewayError
from recovery.runtime.clock import machine_now
from recovery.runtime.wiring import Wiring
from recovery.storage.case_store import load_case
from recovery.storage.email_store import case_of_email
from recovery.storage.objection_store import keep_objection
from recovery.storage.suppression_store import suppress

log = structlog.get_logger(__name__)

BODY_BYTES_MAX = 64 * 1024
"""A report of one email is a few lines."""

KINDS = {"bounced": "the address bounced", "complained": "the customer complained about our email"}


def mail_events(wiring: Wiring) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint."""

    async def endpoint(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return JSONResponse({"error": "the body is too long"}, status_code=413)
        return await run_in_threadpool(_take, wiring, request, bytes(body))

    return endpoint


def _take(wiring: Wiring, request: Request, body: bytes) -> Response:
    secrets = tuple(secret.get_secret_value() for secret in wiring.settings.mail_event_secrets)
    try:
        check_signed(secrets, request.headers, body, machine_now=machine_now())
        told = json.loads(body)
    except (SignatureWrong, ValueError) as error:
        reason = str(error) if isinstance(error, SignatureWrong) else "the body is not JSON"
        log.warning("mail_event_rejected", reason=reason)
        return JSONResponse({"error": reason}, status_code=400)
    kind = told.get("type") if isinstance(told, dict) else None
    data = told.get("data") if isinstance(told, dict) else None
    if kind not in KINDS or not isinstance(data, dict):
        return JSONResponse({"received": "ignored"})
    try:
        done = _stop(wiring, str(kind), data)
    except SQLAlchemyError as error:
        log.error("mail_event_not_stored", reason=type(error).__name__)
        return JSONResponse({"error": "the database is away; send it again"}, status_code=503)
    except GatewayError as error:
        log.warning("mail_event_waits", reason=type(error).__name__)
        return JSONResponse({"error": "the address cannot be read now; send it again"}, status_code=503)
    return JSONResponse({"received": done})


def _stop(wiring: Wiring, kind: str, data: dict[str, Any]) -> str:
    """Stop the case's emails and keep the address's hash; whether anything was known."""
    message_id, address = data.get("message_id"), data.get("address")
    case_id = None
    if isinstance(message_id, str):
        email_id = message_id.strip("<> ").partition("@")[0]
        with wiring.database.connect() as tx:
            case_id = case_of_email(tx, email_id)
            obligation = load_case(tx, case_id).obligation if case_id is not None else None
        if obligation is not None:
            if kind == "complained":
                with wiring.database.begin() as tx:
                    keep_objection(tx, load_case(tx, case_id or "").customer, kind, at=wiring.door.clock())
            advance(wiring.door, case_id or "", MailStopped(why=KINDS[kind]))
            address = wiring.gateway.read_contact(obligation).email
    addresses = wiring.outbox.addresses
    if isinstance(address, str) and "@" in address and addresses is not None:
        with wiring.database.begin() as tx:
            suppress(tx, addresses.hashed(address), kind, at=wiring.door.clock())
        return "stopped"
    return "stopped" if case_id is not None else "unknown"
