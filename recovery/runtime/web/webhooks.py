"""Takes Stripe's webhooks: read with a limit, verify, store, answer. Without the limit anybody could fill the memory."""

import time
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from recovery.gateways.port import Gateway, PayloadRejected, SignatureRejected
from recovery.intake.grouping import EventWriter, TooManyWaiting
from recovery.intake.receive import Receipt, noticed
from recovery.runtime.clock import machine_now
from recovery.runtime.metrics import WebhookMeter
from recovery.runtime.web.doorbell import Doorbell
from recovery.runtime.wiring import EVENT_KINDS, Wiring

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = "30"
"""Stripe repeats by its own plan; other senders are told."""


class BodyTooLarge(ValueError):
    """The request's body is longer than the limit."""


def stripe_webhook(
    wiring: Wiring, writer: EventWriter, bell: Doorbell, meter: WebhookMeter
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint. Raises SettingsInvalid now, not at the first webhook, when the gateway's key is missing."""
    gateway = wiring.gateway
    limit = wiring.settings.webhook_body_bytes_max

    async def endpoint(request: Request) -> Response:
        began = time.perf_counter()
        try:
            body = await _limited_body(request, limit)
        except BodyTooLarge:
            meter.note("too_large", time.perf_counter() - began)
            return JSONResponse({"error": f"the body is longer than {limit} bytes"}, status_code=413)
        except ClientDisconnect:
            meter.note("cut_off", time.perf_counter() - began)
            return Response(status_code=400)
        signature = request.headers.get("stripe-signature", "")
        outcome, response = await _take(writer, gateway, body, signature)
        if outcome == Receipt.STORED:
            bell.ask()
        meter.note(outcome, time.perf_counter() - began)
        return response

    return endpoint


async def _limited_body(request: Request, limit: int) -> bytes:
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > limit:
        raise BodyTooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge
    return bytes(body)


async def _take(writer: EventWriter, gateway: Gateway, body: bytes, signature: str) -> tuple[str, Response]:
    """What became of it, in a word for the meter, and the answer: after the commit, never before."""
    try:
        event = noticed(gateway, body, signature, kinds=EVENT_KINDS, machine_now=machine_now())
        if event is None:
            return _receipt(Receipt.NOT_OURS)
        return _receipt(Receipt.STORED if await writer.store(event) else Receipt.KNOWN)
    except (SignatureRejected, PayloadRejected) as error:
        log.warning("webhook_rejected", reason=str(error))
        return "rejected", JSONResponse({"error": str(error)}, status_code=400)
    except (DataError, UnicodeError) as error:
        # Signed, and yet nothing that the database can hold: asking for it again would bring the same.
        log.error("webhook_not_storable", reason=type(getattr(error, "orig", error)).__name__)
        return "rejected", JSONResponse({"error": "the event holds what cannot be stored"}, status_code=400)
    except SQLAlchemyError as error:
        log.error("webhook_not_stored", reason=f"{type(error).__name__}: {getattr(error, 'orig', error)}")
        return "database_away", _again("the database is away; send it again")
    except TooManyWaiting as error:
        log.error("webhook_not_stored", reason=str(error))
        return "too_many", _again("too many events wait; send it again")


def _receipt(receipt: Receipt) -> tuple[str, Response]:
    return receipt.value, JSONResponse({"received": receipt.value})


def _again(why: str) -> Response:
    return JSONResponse({"error": why}, status_code=503, headers={"Retry-After": RETRY_AFTER_SECONDS})
