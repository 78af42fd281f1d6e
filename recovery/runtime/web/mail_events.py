"""Takes bounces and complaints from whoever carries our email. Without it a dead address would be written to for weeks.

The request is signed in the form of Standard Webhooks: ``{"type": "bounced" | "complained", "data": {"message_id": …}}``, with the
``address`` it was sent to beside it or instead. Anything else that is signed is acknowledged and ignored.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeGuard

import structlog
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from recovery.cases.facts import MailStopped
from recovery.dunning.standard_webhooks import SignatureWrong, check_signed
from recovery.engine.advance import advance
from recovery.gateways.port import GatewayError, NotFound
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
    except (SignatureWrong, ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, SignatureWrong) else "the body is not JSON"
        log.warning("mail_event_rejected", reason=reason)
        return JSONResponse({"error": reason}, status_code=400)
    kind = str(told.get("type")) if isinstance(told, dict) else None
    data = told.get("data") if isinstance(told, dict) else None
    if kind not in KINDS or not isinstance(data, dict):
        return JSONResponse({"received": "ignored"})
    try:
        done = _stop(wiring, str(kind), data)
    except (DataError, UnicodeError) as error:
        # Signed, and yet nothing that can be looked for: asking for it again would bring the same.
        log.warning("mail_event_rejected", reason=type(error).__name__)
        return JSONResponse({"error": "the report holds what no id and no address can be"}, status_code=400)
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
            address = address if _is_address(address) else _address_now(wiring, obligation)
    addresses = wiring.outbox.addresses
    if _is_address(address) and addresses is not None:
        with wiring.database.begin() as tx:
            suppress(tx, addresses.hashed(address), kind, at=wiring.door.clock())
        return "stopped"
    return "stopped" if case_id is not None else "unknown"


def _is_address(told: object) -> TypeGuard[str]:
    return isinstance(told, str) and "@" in told


def _address_now(wiring: Wiring, obligation: str) -> str | None:
    """The customer's address of today, where the report names none; None when the gateway knows them no more."""
    try:
        return wiring.gateway.read_contact(obligation).email
    except NotFound:
        return None
