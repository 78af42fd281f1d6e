"""A loopback server that answers from a script, for the faults of networks; and the Stripe objects the tests share."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from recovery.gateways.port import ChargeOrder
from recovery.gateways.stripe import Limits, StripeGateway
from recovery.money import Money

STARTED_AT = datetime(2026, 10, 5, 9, 30, tzinfo=UTC)
CREATED = int(STARTED_AT.timestamp())
PAY = "POST /v1/invoices/in_1/pay"
INVOICE = "GET /v1/invoices/in_1"
CHARGE = "GET /v1/charges/ch_1"
ORDER = ChargeOrder(
    key="attempt-1",
    obligation="in_1",
    payment_method="pm_1",
    amount=Money(minor=4900, currency="usd"),
    started_at=STARTED_AT,
)


@dataclass(kw_only=True)
class Reply:
    """One scripted answer: after a pause, with a status, or no answer at all."""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False
    pause_seconds: float = 0.0
    drip_seconds: float = 0.0


@dataclass(kw_only=True)
class Asked:
    """One request as it arrived."""

    line: str
    params: dict[str, str]
    key: str | None


class Stub:
    """Answers each line ("GET /v1/…") with its scripted replies in turn; the last one is repeated."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self.url = ""

    def on(self, line: str, *replies: Reply | Mapping[str, Any]) -> None:
        """Script a line; a bare mapping is a body with status 200."""
        self.replies[line] = [one if isinstance(one, Reply) else Reply(body=one) for one in replies]

    def lines(self, line: str) -> list[Asked]:
        """The requests of one line."""
        return [asked for asked in self.asked if asked.line == line]

    def next_reply(self, line: str) -> Reply:
        """The reply to a line that just arrived."""
        scripted = self.replies.get(line)
        if not scripted:
            return error(404, "invalid_request_error", code="resource_missing", param="id")
        return scripted.pop(0) if len(scripted) > 1 else scripted[0]


@contextmanager
def stub(encryption: ssl.SSLContext | None = None) -> Iterator[Stub]:
    """A running stub on a free loopback port."""
    script = Stub()

    class Handler(_Handler):
        stub = script

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if encryption is not None:
        server.socket = encryption.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    script.url = f"http{'s' if encryption else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        script.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def gateway(
    url: str,
    *,
    limits: Limits | None = None,
    sleep: Callable[[float], None] = lambda _: None,
    key: str = "sk_test_123",
) -> Iterator[StripeGateway]:
    """A gateway on a stub or sandbox, that does not really wait between its tries."""
    short = limits or Limits(connect_seconds=1, read_seconds=0.3, bound_seconds=20, least_try_seconds=0.1)
    made = StripeGateway(secret_key=key, api_base=url, limits=short, sleep=sleep)
    try:
        yield made
    finally:
        made.close()


class _Handler(BaseHTTPRequestHandler):
    stub: Stub
    protocol_version = "HTTP/1.1"
    timeout = 10
    wbufsize = 65_536  # headers and body in one packet: two would wait 40 ms for each other (Nagle)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        where = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        line = f"{self.command} {where.path}"
        params = dict(parse_qsl(where.query) + parse_qsl(body))
        self.stub.asked.append(Asked(line=line, params=params, key=self.headers.get("Idempotency-Key")))
        reply = self.stub.next_reply(line)
        if reply.pause_seconds:
            self.stub.closing.wait(reply.pause_seconds)
        if reply.reset:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        try:
            self._write(reply)
        except OSError:  # the client gave up, as some tests mean it to
            self.close_connection = True

    def _write(self, reply: Reply) -> None:
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not reply.drip_seconds:
            self.wfile.write(content)
            return
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.stub.closing.wait(reply.drip_seconds):
                return


def error(status: int, kind: str = "api_error", *, headers: Mapping[str, str] | None = None, **fields: object) -> Reply:
    """An error answer in Stripe's form."""
    body = {"error": {"type": kind, "message": "no one reads this", **fields}}
    return Reply(status=status, body=body, headers=headers or {})


def listed(*rows: Mapping[str, Any], more: bool = False) -> dict[str, Any]:
    """One page of a list."""
    return {"object": "list", "data": list(rows), "has_more": more, "url": "/v1/x"}


def charge(**fields: Any) -> dict[str, Any]:
    """A charge that was declined for want of money, unless told otherwise."""
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 4900,
        "currency": "usd",
        "created": CREATED + 1,
        "status": "failed",
        "paid": False,
        "payment_intent": "pi_1",
        "payment_method": "pm_1",
        "failure_code": "card_declined",
        "outcome": {
            "type": "issuer_declined",
            "network_status": "declined_by_network",
            "reason": "insufficient_funds",
            "network_decline_code": "51",
            "network_advice_code": "02",
            "advice_code": "try_again_later",
        },
        "payment_method_details": {
            "type": "card",
            "card": {
                "brand": "visa",
                "funding": "debit",
                "country": "US",
                "last4": "4242",
                "exp_month": 8,
                "exp_year": 2030,
                "fingerprint": "fp_1",
            },
        },
        **fields,
    }


def won(**fields: Any) -> dict[str, Any]:
    """A charge that brought money."""
    outcome = {"type": "authorized", "network_status": "approved_by_network", "reason": None}
    return charge(status="succeeded", paid=True, failure_code=None, outcome=outcome, **fields)


def intent(**fields: Any) -> dict[str, Any]:
    """The payment intent of the invoice, as it is after a decline."""
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 4900,
        "currency": "usd",
        "status": "requires_payment_method",
        "latest_charge": "ch_1",
        "payment_method_types": ["card"],
        "last_payment_error": None,
        **fields,
    }


def invoice(*, intents: tuple[Mapping[str, Any], ...] | None = None, **fields: Any) -> dict[str, Any]:
    """An open invoice of a subscription in the basil shape."""
    payments = [
        {
            "id": f"inpay_{one['id']}",
            "object": "invoice_payment",
            "invoice": "in_1",
            "payment": {"type": "payment_intent", "payment_intent": one},
        }
        for one in (intents if intents is not None else (intent(),))
    ]
    return {
        "id": "in_1",
        "object": "invoice",
        "customer": "cus_1",
        "status": "open",
        "currency": "usd",
        "amount_due": 4900,
        "amount_paid": 0,
        "amount_remaining": 4900,
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "created": CREATED - 3600,
        "livemode": False,
        "next_payment_attempt": None,
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}},
        "payments": listed(*payments),
        "status_transitions": {"paid_at": None},
        **fields,
    }


def paid_invoice() -> dict[str, Any]:
    """The same invoice after a successful payment."""
    return invoice(
        intents=(intent(status="succeeded", amount_received=4900),),
        status="paid",
        amount_paid=4900,
        amount_remaining=0,
        status_transitions={"paid_at": CREATED + 1},
    )


def method(name: str = "pm_1", **card: Any) -> dict[str, Any]:
    """A stored card."""
    details = charge()["payment_method_details"]["card"]
    return {"id": name, "object": "payment_method", "type": "card", "customer": "cus_1", "card": {**details, **card}}
