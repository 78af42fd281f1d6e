"""Webhooks a second with one commit an event and with grouped commits, in one run, and the 99th percentile at a steady rate.

Run: ``python benchmarks/intake.py [seconds]``. Each event is verified and stored on a durable PostgreSQL as the endpoint does it,
without the HTTP around it, which is the same for both. Absolute numbers depend on the machine; the ratio repeats.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from recovery.gateways.stripe import KINDS, StripeGateway
from recovery.intake.grouping import EventWriter
from recovery.intake.receive import noticed, receive
from recovery.runtime.clock import machine_now
from recovery.runtime.embedded import embedded_postgres
from recovery.storage.connect import connect
from recovery.storage.migrate import upgrade

SECRET = "whsec_benchmark"
AT_ONCE = 100
"""Webhooks under way at the same time; the gateway sends several at once in a flood."""

RATE = 1000
ROUNDS = 3

Take = Callable[[bytes, str], Awaitable[object]]
_numbers = itertools.count(1)


def webhook() -> tuple[bytes, str]:
    """A new event, signed now."""
    thing = {"id": "in_1", "object": "invoice", "customer": "cus_1"}
    told = {"id": f"evt_{next(_numbers)}", "object": "event", "type": "invoice.paid", "created": 1_790_000_000}
    body = json.dumps(told | {"livemode": False, "data": {"object": thing}, "request": {"id": None}}).encode()
    stamp = int(machine_now().timestamp())
    return body, f"t={stamp},v1={hmac.new(SECRET.encode(), b'%d.' % stamp + body, hashlib.sha256).hexdigest()}"


async def flood(take: Take, seconds: float) -> tuple[float, float]:
    """Events a second with AT_ONCE under way, and milliseconds of processor each."""
    ends_at, done = time.monotonic() + seconds, 0

    async def send() -> None:
        nonlocal done
        while time.monotonic() < ends_at:
            await take(*webhook())
            done += 1

    began, spent = time.monotonic(), time.process_time()
    await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    return done / (time.monotonic() - began), (time.process_time() - spent) / done * 1000


async def steady(take: Take, seconds: float) -> float:
    """The 99th percentile in milliseconds at RATE events a second, waiting in line included."""
    taken: list[float] = []

    async def one(due_at: float) -> None:
        await take(*webhook())
        taken.append((time.monotonic() - due_at) * 1000)

    began, sent = time.monotonic(), []
    for number in range(int(RATE * seconds)):
        due_at = began + number / RATE
        if (pause := due_at - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        sent.append(asyncio.create_task(one(due_at)))
    await asyncio.gather(*sent)
    return statistics.quantiles(taken, n=100)[98]


async def measure(database: Engine, seconds: float) -> None:
    gateway = StripeGateway(secret_key="sk_test_benchmark", webhook_secrets=(SECRET,))
    writer = EventWriter(database, machine_now)

    async def single(body: bytes, signature: str) -> None:
        await run_in_threadpool(receive, database, gateway, body, signature, kinds=KINDS, machine_now=machine_now())

    async def grouped(body: bytes, signature: str) -> None:
        event = noticed(gateway, body, signature, kinds=KINDS, machine_now=machine_now())
        assert event is not None
        await asyncio.wrap_future(writer.store(event))

    rates: dict[str, list[tuple[float, float]]] = {"one commit an event": [], "grouped": []}
    for _ in range(ROUNDS):  # in turns, so that a busy machine slows both alike
        rates["one commit an event"].append(await flood(single, seconds))
        rates["grouped"].append(await flood(grouped, seconds))
    for name, found in rates.items():
        rate, spent = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{name:20} {rate:8.0f} events/s, {spent:.2f} ms of processor each")
    one, group = (statistics.median(rate for rate, _ in found) for found in rates.values())
    print(f"ratio {group / one:.2f}")
    print(f"p99 at {RATE} events/s, grouped: {await steady(grouped, seconds):.1f} ms")
    writer.close()
    gateway.close()


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as home, embedded_postgres(Path(home) / "postgres") as server:
        upgrade(server.url)
        database = connect(server.url, pool_size=20)
        asyncio.run(measure(database, seconds))
        database.dispose()


if __name__ == "__main__":
    main()
