"""Webhooks a second with one commit an event and with grouped commits, in one run; then the web process over HTTP: its latencies at a
steady rate, and what one customer's flood does to the others.

Run: ``python benchmarks/intake.py [seconds]``. The comparison is made on a durable PostgreSQL without the HTTP, which is the same for
both. Absolute numbers depend on the machine, and on who else uses it, which is told; the ratio repeats. Where the machine itself keeps
becoming slow, as a guest's cores do, the latencies of the time in between are told as well.
"""

import asyncio
import itertools
import logging
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import structlog
from pulse import Spell, felt
from sending import Sent, arrivals, request, send, webhook
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from recovery.gateways.stripe import KINDS, StripeGateway
from recovery.intake.grouping import EventWriter
from recovery.intake.receive import noticed, receive
from recovery.runtime.clock import machine_now
from recovery.runtime.embedded import embedded_postgres
from recovery.runtime.processes import ProcessGroup
from recovery.storage.connect import connect
from recovery.storage.migrate import upgrade

SECRET = "whsec_benchmark"
CONFIG = Path(__file__).parents[1] / "config"
AT_ONCE = 100
"""Webhooks under way at the same time; the gateway sends several at once in a flood."""

RATE = 1000
ROUNDS = 3
FLOOD = 1000
OTHERS_RATE = 100

AROUND_SECONDS = 0.1
"""Before and after a time in which the machine was slow: events that were still under way, and those behind what had piled up."""

Take = Callable[[bytes, str], Awaitable[object]]
_numbers = itertools.count(1)


def new_webhook(customer: str = "cus_1") -> tuple[bytes, str]:
    """A new event, signed now."""
    return webhook(str(next(_numbers)), customer, secret=SECRET)


async def flood(take: Take, seconds: float) -> tuple[float, float]:
    """Events a second with AT_ONCE under way, and milliseconds of processor each."""
    ends_at, done = time.monotonic() + seconds, 0

    async def one_after_another() -> None:
        nonlocal done
        while time.monotonic() < ends_at:
            await take(*new_webhook())
            done += 1

    began, spent = time.monotonic(), time.process_time()
    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    return done / (time.monotonic() - began), (time.process_time() - spent) / done * 1000


async def compare(database: Engine, seconds: float) -> None:
    """Single commits and grouped ones, in turns, so that a busy machine slows both alike."""
    gateway = StripeGateway(secret_key="sk_test_benchmark", webhook_secrets=(SECRET,))
    writer = EventWriter(database, machine_now)

    async def single(body: bytes, signature: str) -> None:
        await run_in_threadpool(receive, database, gateway, body, signature, kinds=KINDS, machine_now=machine_now())

    async def grouped(body: bytes, signature: str) -> None:
        event = noticed(gateway, body, signature, kinds=KINDS, machine_now=machine_now())
        assert event is not None
        await writer.store(event)

    rates: dict[str, list[tuple[float, float]]] = {"one commit an event": [], "grouped": []}
    for _ in range(ROUNDS):
        rates["one commit an event"].append(await flood(single, seconds))
        rates["grouped"].append(await flood(grouped, seconds))
    for name, found in rates.items():
        rate, spent = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{name:20} {rate:8.0f} events/s, {spent:.2f} ms of processor each")
    one, group = (statistics.median(rate for rate, _ in found) for found in rates.values())
    print(f"ratio {group / one:.2f}")
    await writer.close()
    gateway.close()


@contextmanager
def web_process(home: Path, database_url: str) -> Iterator[tuple[psutil.Process, int]]:
    """`recovery web` as in production, with its port."""
    settings = {
        "RECOVERY_DATABASE_URL": database_url,
        "RECOVERY_DATA_DIR": str(home),
        "RECOVERY_CONFIG_DIR": str(CONFIG),
        "RECOVERY_WEB_PORT": "0",
        "RECOVERY_STRIPE_SECRET_KEY": "sk_test_benchmark",
        "RECOVERY_STRIPE_WEBHOOK_SECRETS": SECRET,
    }
    with ProcessGroup(home / "logs") as group:
        started = group.start("web", [sys.executable, "-m", "recovery.runtime.cli", "web"], env=os.environ | settings)
        group.wait_ready(started, lambda: _address(started.log) is not None)
        found = _address(started.log)
        assert found is not None
        yield psutil.Process(started.pid), int(found[1])


def _address(log: Path) -> re.Match[str] | None:
    return re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())


def due(customer: str, rate: float, count: int) -> list[Sent]:
    """Requests at a rate, ready to be sent."""
    return [Sent(request=request(*new_webhook(customer)), due_at=at) for at in arrivals(rate, count)]


def quantile(taken: Sequence[float], share: float) -> float:
    """In milliseconds."""
    return sorted(taken)[int(len(taken) * share)] * 1000


def steady(web: psutil.Process, port: int, seconds: float) -> None:
    """Latencies at RATE, from the instant at which each was due, once connections are made and modules loaded."""
    send(port, due("cus_1", RATE / 2, RATE // 2))
    sending = due("cus_1", RATE, int(RATE * seconds))
    spent, own, all_of_it, began = sum(web.cpu_times()[:2]), time.process_time(), _busy(), time.monotonic()
    with felt() as spells:
        send(port, sending)
    own, spent = time.process_time() - own, sum(web.cpu_times()[:2]) - spent
    elsewhere = (_busy() - all_of_it - own - spent) / (time.monotonic() - began)
    late = quantile([one.late for one in sending], 0.99)
    print(f"{RATE} events/s over HTTP: {latencies(sending)}; the sender was late by {late:.1f} ms (p99)")
    slow = sum(spell.ended - spell.began for spell in spells) / seconds
    calm = undisturbed(sending, spells)
    print(
        f"the machine itself was slow {len(spells)} times, for {slow:.1%} of the time, whatever ran on it; "
        f"the {len(calm) / len(sending):.0%} of events due at other times: {latencies(calm)}"
    )
    print(
        f"processor an event: web {spent / len(sending) * 1000:.2f} ms, sender {own / len(sending) * 1000:.2f} ms; "
        f"all else on this machine {elsewhere:.2f} of {os.cpu_count()} cores"
    )


def latencies(sent: Sequence[Sent]) -> str:
    """In words."""
    taken = [one.taken for one in sent]
    return (
        f"median {quantile(taken, 0.5):.1f} ms, p99 {quantile(taken, 0.99):.1f} ms, slowest {max(taken) * 1000:.1f} ms"
    )


def undisturbed(sent: Sequence[Sent], spells: Sequence[Spell]) -> list[Sent]:
    """Those due well away from each time in which the machine was slow, whatever became of them."""
    away = AROUND_SECONDS
    return [one for one in sent if not any(spell.began - away <= one.due_at <= spell.ended + away for spell in spells)]


def _busy() -> float:
    """Seconds that the machine's cores have worked."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def one_customers_flood(web: psutil.Process, port: int, seconds: float) -> None:
    """FLOOD webhooks of one customer at once, while others go on."""
    for round_number in range(ROUNDS):
        before = web.memory_info().rss
        others = due("cus_other", OTHERS_RATE, int(OTHERS_RATE * seconds))
        flooding = [Sent(request=request(*new_webhook("cus_flood")), due_at=seconds / 2) for _ in range(FLOOD)]
        send(port, others, flooding)
        taken = [one.taken for one in others]
        grown = (web.memory_info().rss - before) / 2**20
        print(
            f"{FLOOD} of one customer at once, {round_number + 1}. time: the last after {max(one.taken for one in flooding):.2f} s; "
            f"others p99 {quantile(taken, 0.99):.1f} ms, slowest {max(taken) * 1000:.1f} ms; memory grew by {grown:.1f} MB"
        )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as made, embedded_postgres(Path(made) / "postgres") as server:
        upgrade(server.url)
        database = connect(server.url, pool_size=20)
        asyncio.run(compare(database, seconds))
        database.dispose()
        with web_process(Path(made), server.url) as (web, port):
            steady(web, port, 3 * seconds)
            one_customers_flood(web, port, seconds)


if __name__ == "__main__":
    main()
