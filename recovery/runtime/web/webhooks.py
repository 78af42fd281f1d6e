"""Takes Stripe's webhooks: read with a limit, verify, store, answer. Without the limit anybody could fill the memory.

Before everything that pages need: routing, request objects and the layers around them cost as much as all that is done here.
"""

import time

import structlog
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from recovery.gateways.port import Gateway, PayloadRejected, SignatureRejected
from recovery.intake.grouping import EventWriter, TooManyWaiting
from recovery.intake.receive import Receipt, noticed
from recovery.runtime.clock import machine_now
from recovery.runtime.metrics import WebhookMeter
from recovery.runtime.web.doorbell import Doorbell
from recovery.runtime.web.headers import HEADERS
from recovery.runtime.wiring import EVENT_KINDS

log = structlog.get_logger(__name__)

PATH = "/webhooks/stripe"

RETRY_AFTER_SECONDS = "30"
"""Stripe repeats by its own plan; other senders are told."""


class BodyTooLarge(ValueError):
    """The request's body is longer than the limit."""


class CutOff(ConnectionError):
    """The sender went away in the middle of the body."""


class StripeWebhooks:
    """Middleware: takes what comes to PATH, with a body of at most ``limit`` bytes; leaves all else to ``app``."""

    def __init__(
        self, app: ASGIApp, *, gateway: Gateway, limit: int, writer: EventWriter, bell: Doorbell, meter: WebhookMeter
    ) -> None:
        self._app = app
        self._gateway = gateway
        self._limit = limit
        self._writer = writer
        self._bell = bell
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        if scope["method"] != "POST":
            await _told(405, "only POST is taken here", {"Allow": "POST"})(scope, receive, send)
            return
        began = time.perf_counter()
        outcome, response = await self._answer(dict(scope["headers"]), receive)
        if outcome == Receipt.STORED:
            self._bell.ask()
        self._meter.note(outcome, time.perf_counter() - began)
        await response(scope, receive, send)

    async def _answer(self, headers: dict[bytes, bytes], receive: Receive) -> tuple[str, Response]:
        """What became of it, in a word for the meter, and the answer."""
        try:
            body = await _limited_body(headers, receive, self._limit)
        except BodyTooLarge:
            return "too_large", _told(413, f"the body is longer than {self._limit} bytes")
        except CutOff:
            return "cut_off", _told(400, "the body was cut off")
        return await self._take(body, headers.get(b"stripe-signature", b"").decode("latin-1"))

    async def _take(self, body: bytes, signature: str) -> tuple[str, Response]:
        """The same: after the commit, never before."""
        try:
            event = noticed(self._gateway, body, signature, kinds=EVENT_KINDS, machine_now=machine_now())
            if event is None:
                return _received(Receipt.NOT_OURS)
            return _received(Receipt.STORED if await self._writer.store(event) else Receipt.KNOWN)
        except (SignatureRejected, PayloadRejected) as error:
            log.warning("webhook_rejected", reason=str(error))
            return "rejected", _told(400, str(error))
        except (DataError, UnicodeError) as error:
            # Signed, and yet nothing that the database can hold: asking for it again would bring the same.
            log.error("webhook_not_storable", reason=type(getattr(error, "orig", error)).__name__)
            return "rejected", _told(400, "the event holds what cannot be stored")
        except SQLAlchemyError as error:
            log.error("webhook_not_stored", reason=f"{type(error).__name__}: {getattr(error, 'orig', error)}")
            return "database_away", _again("the database is away; send it again")
        except TooManyWaiting as error:
            log.error("webhook_not_stored", reason=str(error))
            return "too_many", _again("too many events wait; send it again")


async def _limited_body(headers: dict[bytes, bytes], receive: Receive, limit: int) -> bytes:
    told = headers.get(b"content-length", b"")
    if told.isdigit() and int(told) > limit:
        raise BodyTooLarge
    body, more = bytearray(), True  # growing bytes would be copied for each of many small pieces
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CutOff
        body += message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLarge
        more = message.get("more_body", False)
    return bytes(body)


def _told(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": why}, status_code=status, headers=HEADERS | (headers or {}))


def _again(why: str) -> Response:
    return _told(503, why, {"Retry-After": RETRY_AFTER_SECONDS})


_RECEIVED = {one: JSONResponse({"received": one.value}, headers=HEADERS) for one in Receipt}
"""Made once: of all answers most are these."""


def _received(receipt: Receipt) -> tuple[str, Response]:
    return receipt.value, _RECEIVED[receipt]
