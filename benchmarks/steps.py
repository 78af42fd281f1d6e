"""A million waiting steps, ten thousand due at once, a thousand webhooks of one customer: what a claim costs then, in time and memory.

Run: ``python benchmarks/steps.py [waiting] [due]``. The rows are put in by SQL; what is measured are the claims of production on a
durable PostgreSQL. The ratio to a claim where nothing else waits repeats on any machine.
"""

import contextlib
import itertools
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import structlog
from charges import MONDAY, failed
from sqlalchemy import Engine, text

from recovery.cases.facts import PaymentFailed
from recovery.cases.lifecycle import StepKind
from recovery.engine.advance import open_case
from recovery.engine.door import Door
from recovery.runtime.clock import machine_now
from recovery.runtime.embedded import embedded_postgres
from recovery.runtime.settings import Settings
from recovery.runtime.wiring import Wiring
from recovery.storage.backlog_queries import backlog
from recovery.storage.connect import reading
from recovery.storage.event_store import StoredEvent, claim_events, store_events
from recovery.storage.migrate import upgrade
from recovery.storage.moment import Moment
from recovery.storage.step_store import claim_steps, due_kinds
from recovery.storage.tables import cases

BATCH = 50
CUSTOMERS = 100_000
DUE = MONDAY + timedelta(days=1)
NOW = DUE + timedelta(minutes=1)
FLOOD, OTHERS = 1000, 100


def fill(database: Engine, first: int, count: int, due: str) -> None:
    """Cases like the first one, each with a step; triggers off, as they would check a million cases one by one."""
    own = {"id": "'case_in_b' || n", "obligation": "'in_b' || n", "customer": f"'cus_' || n % {CUSTOMERS}"}
    names = [column.name for column in cases.columns]
    listed = ", ".join(own.get(name, name) for name in names)
    series = {"first": first, "last": first + count - 1}
    with database.begin() as tx:
        tx.execute(text("SET LOCAL session_replication_role = replica"))
        tx.execute(text("SET LOCAL statement_timeout = 0"))
        source = "FROM cases, generate_series(CAST(:first AS int), CAST(:last AS int)) n WHERE id = 'case_in_0'"
        tx.execute(text(f"INSERT INTO cases ({', '.join(names)}) SELECT {listed} {source}"), series)
        rows = f"SELECT 'case_in_b' || n, 'charge_card', 'planned', {due} {source}"
        tx.execute(text(f"INSERT INTO steps (case_id, kind, state, due_at) {rows}"), series | {"due": DUE})
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
        tx.execute(text("ANALYZE"))


def claims(database: Engine) -> Iterator[float]:
    """Claim everything that is due, a batch at a time; the milliseconds of each ring's question and claim."""
    while True:
        moment, began = Moment(now=NOW, machine_now=machine_now()), time.perf_counter()
        with reading(database) as tx:
            due_kinds(tx, moment=moment)
        with database.begin() as tx:
            found = claim_steps(tx, (StepKind.CHARGE_CARD,), moment=moment, limit=BATCH, lease_seconds=600)
        if not found:
            return
        yield (time.perf_counter() - began) * 1000


def told(name: str, taken: list[float]) -> float:
    """Print how long claims took; the median."""
    median = statistics.median(taken)
    print(f"{name:45} {len(taken):5} claims of {BATCH}: median {median:.1f} ms, slowest {max(taken):.1f} ms")
    return median


def flood(database: Engine) -> int:
    """A thousand webhooks of one customer before one each of a hundred others; how many batches until those had their turn."""
    numbers = itertools.count(1)

    def event(customer: str) -> StoredEvent:
        return StoredEvent(
            gateway="stripe",
            id=f"evt_{next(numbers)}",
            kind="invoice.paid",
            livemode=False,
            created_at=NOW,
            object_id="in_1",
            content={"customer": customer},
            idempotency_key=None,
            caused_by_request=False,
        )

    waiting = [event("cus_flood") for _ in range(FLOOD)] + [event(f"cus_other_{n}") for n in range(OTHERS)]
    with database.begin() as tx:
        for start in range(0, len(waiting), 200):
            store_events(tx, waiting[start : start + 200], machine_now=machine_now())
    left = {f"cus_other_{n}" for n in range(OTHERS)}
    for batches in itertools.count(1):
        until = machine_now() + timedelta(seconds=600)
        with database.begin() as tx:
            taken = claim_events(tx, machine_now=machine_now(), lease_until=until, limit=BATCH)
        left -= {str(one.content["customer"]) for one in taken}
        if not left or not taken:
            return batches
    raise AssertionError


def main() -> None:
    waiting = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    due = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with contextlib.ExitStack() as held:
        home = held.enter_context(tempfile.TemporaryDirectory())
        url = held.enter_context(embedded_postgres(Path(home) / "postgres")).url
        upgrade(url)
        wiring = Wiring(Settings(_env_file=None), url)  # type: ignore[call-arg]
        database = wiring.database
        held.callback(database.dispose)
        wiring.rulebook.keep_current(database, machine_now=machine_now())
        door = Door(database=database, rulebook=wiring.rulebook, clock=lambda: MONDAY, machine_clock=machine_now)
        charge, owed = failed(0)
        open_case(door, PaymentFailed(charge=charge, obligation=owed), gateway="stripe")
        process = psutil.Process()
        fill(database, 0, due, ":due")
        alone = told(f"{due} due, nothing else waits", list(claims(database)))
        fill(database, due, waiting, ":due + n * interval '3 seconds' + interval '1 day'")
        before = process.memory_info().rss
        fill(database, due + waiting, due, ":due")
        busy = told(f"{due} due, {waiting} wait", list(claims(database)))
        print(f"ratio {busy / alone:.2f}; memory grew by {(process.memory_info().rss - before) / 2**20:.0f} MB")
        began = time.perf_counter()
        with reading(database) as tx:
            backlog(tx, moment=Moment(now=NOW, machine_now=machine_now()))
        print(f"counting the backlog for metrics and doctor: {(time.perf_counter() - began) * 1000:.0f} ms")
        print(
            f"{OTHERS} customers behind {FLOOD} webhooks of one: all had their turn after {flood(database)} batches of {BATCH}"
        )


if __name__ == "__main__":
    main()
