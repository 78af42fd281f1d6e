"""Signed delivery of events, at least once.

Without redelivery, concurrency and a real signature the intake would be tested against a messenger that is
kinder than any real one.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
import http.client
import itertools
import json
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from recovery.simulation.sandbox.settings import SandboxOptions, WebhookEndpoint


def signature(payload: bytes, secret: str, timestamp: int) -> str:
    """The `Stripe-Signature` header of a body; `timestamp` is machine time."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={signed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delivery:
    endpoint: WebhookEndpoint
    payload: bytes
    attempt: int = 1


class Deliveries:
    """A queue ordered by machine time, emptied by a bounded number of threads."""

    def __init__(self, endpoints: tuple[WebhookEndpoint, ...], options: SandboxOptions) -> None:
        self.endpoints = endpoints
        self._options = options
        self._queue: list[tuple[float, int, _Delivery]] = []
        self._numbers = itertools.count()
        self._ready = threading.Condition()
        self._under_way = 0
        self._closing = False
        self._threads: list[threading.Thread] = []
        self.given_up = 0
        self.delivered = 0

    def start(self) -> None:
        """Begin delivering; without it events only wait."""
        with self._ready:
            if self._threads:
                return
            self._closing = False
            for number in range(self._options.webhook_concurrency):
                thread = threading.Thread(target=self._work, name=f"sandbox-webhooks-{number}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def close(self) -> None:
        """Stop the threads; what was not delivered stays in the queue."""
        with self._ready:
            self._closing = True
            self._ready.notify_all()
            threads, self._threads = self._threads, []
        for thread in threads:
            thread.join(timeout=self._options.webhook_timeout_seconds + 1)

    def add(self, endpoint: WebhookEndpoint) -> None:
        """One more endpoint, for events from now on."""
        with self._ready:
            self.endpoints = (*self.endpoints, endpoint)

    def put(self, event: dict[str, Any], *, delay_seconds: float = 0.0) -> None:
        """Queue one event for every endpoint, if they are registered for its type."""
        wanted = self._options.webhook_kinds
        if not self.endpoints or (wanted is not None and event["type"] not in wanted):
            return
        payload = json.dumps(event, separators=(",", ":")).encode()
        with self._ready:
            for endpoint in self.endpoints:
                self._push(_Delivery(endpoint=endpoint, payload=payload), delay_seconds)

    @property
    def pending(self) -> int:
        """Deliveries not yet acknowledged and not given up."""
        with self._ready:
            return len(self._queue) + self._under_way

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Whether everything was acknowledged or given up within the time."""
        deadline = time.monotonic() + timeout_seconds
        with self._ready:
            while self._queue or self._under_way:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._ready.wait(left)
        return True

    def _push(self, delivery: _Delivery, delay_seconds: float) -> None:
        heapq.heappush(self._queue, (time.monotonic() + delay_seconds, next(self._numbers), delivery))
        self._ready.notify_all()

    def _take(self) -> _Delivery | None:
        with self._ready:
            while not self._closing:
                wait = self._queue[0][0] - time.monotonic() if self._queue else None
                if wait is not None and wait <= 0:
                    self._under_way += 1
                    return heapq.heappop(self._queue)[2]
                self._ready.wait(wait)
        return None

    def _work(self) -> None:
        connections: dict[str, http.client.HTTPConnection] = {}
        try:
            while (delivery := self._take()) is not None:
                accepted = _post(delivery, connections, self._options.webhook_timeout_seconds)
                self._done(delivery, accepted=accepted)
        finally:
            for connection in connections.values():
                connection.close()

    def _done(self, delivery: _Delivery, *, accepted: bool) -> None:
        with self._ready:
            self._under_way -= 1
            if accepted:
                self.delivered += 1
            elif delivery.attempt >= self._options.webhook_attempts_max:
                self.given_up += 1
            else:
                # 2**10 times the first pause is beyond any maximum in use; it keeps the number small.
                pause = self._options.webhook_backoff_seconds * 2 ** min(delivery.attempt - 1, 10)
                again = _Delivery(endpoint=delivery.endpoint, payload=delivery.payload, attempt=delivery.attempt + 1)
                self._push(again, min(pause, self._options.webhook_backoff_max_seconds))
            self._ready.notify_all()


def _post(delivery: _Delivery, connections: dict[str, http.client.HTTPConnection], timeout: float) -> bool:
    """Deliver once over a kept connection; any failure closes it and counts as not accepted."""
    endpoint = delivery.endpoint
    connection = connections.get(endpoint.url)
    if connection is None:
        parts = urlsplit(endpoint.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = connections[endpoint.url] = kind(parts.hostname or "", parts.port, timeout=timeout)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature(delivery.payload, endpoint.secret, int(time.time())),
    }
    try:
        connection.request("POST", _target(endpoint.url), body=delivery.payload, headers=headers)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        # Dropped keep-alive, refused or slow: the redelivery opens a new connection.
        connection.close()
        connections.pop(endpoint.url, None)
        return False
    return 200 <= response.status < 300


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
