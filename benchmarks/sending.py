"""Webhooks over HTTP at a given rate, whatever the answers take. Without it a slow answer would hold back the next request, and the
worst latencies would never be measured.

Light on purpose, as the server it measures has to share the machine with it: requests are signed beforehand, lines are kept open,
and of an answer only the status and the end are read.
"""

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import uvloop

from recovery.runtime.clock import machine_now
from recovery.simulation.sandbox.templates import build

LINES = 50
"""Connections; who finds none free waits, and his waiting counts."""


@dataclass(slots=True, kw_only=True)
class Sent:
    """One request."""

    request: bytes
    due_at: float
    """In seconds from the beginning; while it is sent, on the machine's clock."""

    taken: float = 0.0
    """Seconds from then to its answer."""

    late: float = 0.0
    """By how much the sender itself was late."""


def webhook(number: str, customer: str, *, secret: str) -> tuple[bytes, str]:
    """A paid invoice's event with all fields of a real one, and its signature as of now."""
    invoice = build("invoice", f"in_{number}", customer=customer, status="paid", currency="usd", amount_paid=4900)
    told = build("event", f"evt_{number}", type="invoice.paid", created=1_790_000_000, data={"object": invoice})
    body = json.dumps(told, indent=2).encode()  # as Stripe writes them
    stamp = int(machine_now().timestamp())
    return body, f"t={stamp},v1={hmac.new(secret.encode(), b'%d.' % stamp + body, hashlib.sha256).hexdigest()}"


def request(body: bytes, signature: str) -> bytes:
    """The same as HTTP."""
    head = (
        "POST /webhooks/stripe HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n"
        "Accept: */*; q=0.5, application/xml\r\nCache-Control: no-cache\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Stripe-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def arrivals(rate: float, count: int, *, seed: int = 1) -> Iterator[float]:
    """Seconds from the beginning at which independent senders come: not evenly, now and then several at once."""
    dice, at = random.Random(seed), 0.0
    for _ in range(count):
        yield at
        at += dice.expovariate(rate)


class _Line(asyncio.Protocol):
    """A connection with one request under way at most."""

    def __init__(self, sender: "Sender") -> None:
        self._sender = sender
        self._transport: asyncio.Transport | None = None
        self._read = b""
        self._now: Sent | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._now is not None:
            self._sender.failed(f"cut off: {exc}")

    def send(self, sent: Sent) -> None:
        assert self._transport is not None
        self._now = sent
        self._transport.write(sent.request)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not found or len(body) < int(length):
            return
        sent, self._now, self._read = self._now, None, b""
        assert sent is not None
        sent.taken = time.monotonic() - sent.due_at
        if not head.startswith(b"HTTP/1.1 200"):
            self._sender.failed(head.decode())
        self._sender.free(self)


class Sender:
    """Sends each request when it is due."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: deque[_Line] = deque()
        self._waiting: deque[Sent] = deque()
        self._failure: str | None = None
        self._left = 0
        self._done = asyncio.Event()

    async def run(self, sending: Sequence[Sent]) -> None:
        """Send all and wait for their answers; ``due_at`` is in seconds from now. Raises AssertionError for any but 200."""
        loop = asyncio.get_running_loop()
        for _ in range(LINES):
            _, line = await loop.create_connection(lambda: _Line(self), "127.0.0.1", self._port)
            self._free.append(line)
        self._left, began = len(sending), time.monotonic() + 0.1
        for sent in sending:
            sent.due_at += began
            while (pause := sent.due_at - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            sent.late = -pause
            if self._free:
                self._free.popleft().send(sent)
            else:
                self._waiting.append(sent)
                await asyncio.sleep(0)
            assert self._failure is None, self._failure
        await asyncio.wait_for(self._done.wait(), 60)
        assert self._failure is None, self._failure
        for line in self._free:
            line.close()

    def free(self, line: _Line) -> None:
        """A line had its answer."""
        self._left -= 1
        if self._waiting:
            line.send(self._waiting.popleft())
        else:
            self._free.append(line)
        if self._left == 0:
            self._done.set()

    def failed(self, why: str) -> None:
        """Remember what else than 200 came."""
        self._failure = why
        self._done.set()


def send(port: int, *sendings: Sequence[Sent]) -> None:
    """Send them all side by side, each over lines of its own, on the fastest loop there is."""

    async def side_by_side() -> None:
        await asyncio.gather(*(Sender(port).run(sending) for sending in sendings))

    uvloop.run(side_by_side())
