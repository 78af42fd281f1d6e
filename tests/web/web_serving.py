"""The web application under test: a client of it, and webhooks as Stripe signs them."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from serving import served
from sqlalchemy import text

from recovery.runtime.clock import machine_now
from recovery.runtime.web.app import create_app
from recovery.runtime.wiring import Wiring

SECRET = "whsec_test"


def event(event_id: str = "evt_1", kind: str = "invoice.paid") -> bytes:
    """A webhook's body as Stripe sends it."""
    return json.dumps(
        {
            "id": event_id,
            "object": "event",
            "type": kind,
            "created": 1_790_000_000,
            "livemode": False,
            "data": {
                "object": {"id": "in_1", "object": "invoice", "customer": "cus_1", "customer_email": "a@b.example"}
            },
            "request": {"id": None, "idempotency_key": None},
        }
    ).encode()


def signed(body: bytes, *, secret: str = SECRET, late_seconds: int = 0) -> dict[str, str]:
    """The header that makes a body Stripe's."""
    stamp = int(machine_now().timestamp()) - late_seconds
    made = hmac.new(secret.encode(), b"%d." % stamp + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={made}"}


@contextmanager
def client_of(wiring: Wiring, *, ring: Callable[[], None] = lambda: None) -> Iterator[httpx.Client]:
    """A client of the application, served as in production."""
    with served(create_app(wiring, ring=ring)) as url, httpx.Client(base_url=url, timeout=60, verify=False) as client:
        yield client


def rows(wiring: Wiring, query: str) -> list[Any]:
    """What the database holds."""
    with wiring.database.connect() as tx:
        return list(tx.execute(text(query)))
