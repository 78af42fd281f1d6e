"""Ten thousand emails due at once: do they leave at the configured pace, each once, and what do charges wait beside them?

Run: ``python benchmarks/emails.py [emails] [per second]``; by default 10,000 at 20 a second, twice the default of
RECOVERY_MAIL_PER_SECOND. Two processes run the loop of a worker's pool over the performers of production, and the one that
letters have to themselves theirs, on a durable PostgreSQL; letters go by SMTP to a mail server in a process of its own that takes
a moment for each. Only the gateway is a stand-in, which answers at once and declines. A charge comes due every quarter of a
second, first alone, then beside the emails, then while the mail server hangs: its wait is the time from its due instant to the
call, and the ratio of the medians to the wait alone is what to compare.

Printed besides: the processor time of the process that writes, which tells on any machine how many a second one worker can write
at most; further workers write more.

What holds: no email is lost or doubled, and none leaves ahead of the pace. A charge waits for no email, only for its share of
processors and database; and not at all for a mail server that hangs, as then nothing but one process waits and letters soon rest.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, cast

import structlog
from charges import MONDAY
from mailing import Standing, owed_as, serve_mail, work
from sqlalchemy import Connection, Engine, text

from recovery.cases.facts import CardRefreshed, PaymentFailed
from recovery.engine.advance import advance, open_case
from recovery.runtime.clock import SharedClock, machine_now
from recovery.runtime.embedded import embedded_postgres
from recovery.runtime.settings import load_settings
from recovery.storage.migrate import upgrade

EVERY_SECONDS = 0.25
WARM_SECONDS, ALONE_SECONDS, HUNG_SECONDS = 5.0, 25.0, 20.0
HUNG_EMAILS = 1000
"""More than all workers' threads can have under way while the server hangs."""
FAR = datetime(2100, 1, 1, tzinfo=UTC)
DONE_WITHIN_SECONDS = 600.0

_CLONES = (
    "INSERT INTO cases SELECT (jsonb_populate_record(c, jsonb_build_object('id', 'case_many_' || n, 'obligation', 'many_' || n,"
    " 'customer', 'cus_many_' || n))).* FROM cases c, generate_series(1, :many) AS n WHERE c.id = :like",
    "INSERT INTO journal (case_id, fact_key, fact, state, reason, at, booked_at) SELECT 'case_many_' || n, j.fact_key, j.fact, j.state,"
    " j.reason, j.at, j.booked_at FROM journal j, generate_series(1, :many) AS n"
    " WHERE j.id = (SELECT journal_id FROM exhaustions WHERE case_id = :like)",
    "INSERT INTO exhaustions (case_id, journal_id, rule, at, detail) SELECT j.case_id, j.id, e.rule, e.at, e.detail"
    " FROM journal j, exhaustions e WHERE e.case_id = :like AND j.case_id LIKE 'case_many_%'",
    "INSERT INTO steps (case_id, kind, state, due_at, hold_until) SELECT 'case_many_' || n, s.kind, s.state, s.due_at, s.hold_until"
    " FROM steps s, generate_series(1, :many) AS n WHERE s.case_id = :like AND s.state = 'planned'",
    "UPDATE steps SET state = 'cancelled' WHERE case_id = :like AND state = 'planned' AND kind = 'send_email'",
)


@dataclass
class House:
    """What is measured, and the levers."""

    database: Engine
    mail: tuple[SpawnProcess, Pipe]
    writer: SpawnProcess
    told: Any
    waiting: list[str]
    charged: Counter[str] = field(default_factory=Counter)

    def waits(self, going_on: Callable[[float], bool]) -> list[float]:
        """Let a charge come due every quarter of a second, as long as it is to go on; how long each waited for its call."""
        due: dict[str, datetime] = {}
        called: dict[str, datetime] = {}
        began = time.monotonic()
        while going_on(time.monotonic() - began):
            name, at = self.waiting.pop(), machine_now()
            with self.database.begin() as tx:
                _release(tx, "case_id = :case_id AND kind = 'charge_card'", case_id=f"case_{name}")
            due[name] = at
            called |= self._calls(EVERY_SECONDS - (time.monotonic() - began) % EVERY_SECONDS)
        ends_at = time.monotonic() + DONE_WITHIN_SECONDS
        while due.keys() - called.keys() and time.monotonic() < ends_at:
            called |= self._calls(EVERY_SECONDS)
        assert due.keys() == called.keys(), f"{len(due.keys() - called.keys())} charges never left"
        return [(called[name] - at).total_seconds() for name, at in due.items()]

    def _calls(self, seconds: float) -> dict[str, datetime]:
        time.sleep(seconds)
        found = {}
        while not self.told.empty():
            name, at = self.told.get()
            self.charged[name] += 1
            found[name] = at
        return found

    def emails_due(self, first: int, last: int) -> None:
        """That many at once."""
        which = "kind = 'send_email' AND CAST(substr(case_id, 11) AS int) BETWEEN :first AND :last"
        with self.database.begin() as tx:
            _release(tx, f"case_id LIKE 'case_many_%' AND {which}", first=first, last=last)

    def sent(self) -> int:
        with self.database.connect() as tx:
            return int(tx.execute(text("SELECT count(*) FROM emails WHERE status = 'sent'")).scalar_one())

    def until_sent(self, emails: int) -> None:
        """Where a machine is too slow for the pace."""
        ends_at = time.monotonic() + DONE_WITHIN_SECONDS
        while self.sent() < emails and time.monotonic() < ends_at:
            time.sleep(EVERY_SECONDS)

    def written_seconds(self) -> float:
        """Processor time of the process that writes, from its start."""
        ticks = Path(f"/proc/{self.writer.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def taken(self) -> list[tuple[str, datetime]]:
        """What the mail server took, in order."""
        self.mail[1].send("?")
        return cast(list[tuple[str, datetime]], self.mail[1].recv())


def _release(tx: Connection, which: str, **given: Any) -> None:
    tx.execute(text(f"UPDATE steps SET hold_until = NULL WHERE state = 'planned' AND {which}"), given)


def _fill(wiring: Standing, clock: SharedClock, charges: int, emails: int) -> list[str]:
    """Cases with a planned charge, and others whose customers are about to be asked; all held until they are released."""
    names = [f"in_{number}" for number in range(charges + 1)]
    for number, name in enumerate(names):
        owed = owed_as(name)
        case_id = open_case(
            wiring.door, PaymentFailed(charge=owed.charges[0], obligation=owed), gateway="stripe"
        ).case.id
        advance(wiring.door, case_id, CardRefreshed(obligation=owed, card=owed.card, step_id=-1 - number))
    with wiring.database.begin() as tx:
        tx.execute(text("SET LOCAL statement_timeout = 0"))
        tx.execute(text("UPDATE steps SET state = 'cancelled' WHERE kind = 'refresh_card' AND state = 'planned'"))
        tx.execute(text("UPDATE steps SET hold_until = :far WHERE state = 'planned'"), {"far": FAR})
        for statement in _CLONES:
            given = {"like": "case_in_0", "many": emails}
            tx.execute(text(statement), {key: given[key] for key in given if f":{key}" in statement})
        planned = "SELECT max(due_at) FROM steps WHERE kind = 'charge_card' AND state = 'planned'"
        at = tx.execute(text(planned)).scalar_one() + timedelta(minutes=1)
        tx.execute(text("UPDATE steps SET due_at = :at WHERE kind = 'send_email'"), {"at": at})
    with wiring.database.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
        tx.execute(text("ANALYZE"))
    clock.set(at)
    return names[1:]


@contextlib.contextmanager
def house(per_second: float, charges: int, emails: int) -> Iterator[House]:
    spawn = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as held:
        home = Path(held.enter_context(tempfile.TemporaryDirectory()))
        url = held.enter_context(embedded_postgres(home / "postgres")).url
        upgrade(url)
        pipe, theirs = spawn.Pipe()
        mail = spawn.Process(target=serve_mail, args=(theirs,), daemon=True)
        mail.start()
        held.callback(mail.kill)
        clock = SharedClock(home / "clock")
        clock.set(MONDAY)
        ways: dict[str, Any] = {"clock_file": home / "clock", "smtp_security": "none", "mail_per_second": per_second}
        settings = load_settings(_env_file=None, smtp_port=pipe.recv(), **ways)
        wiring = Standing(settings, url)
        held.callback(wiring.database.dispose)
        names = _fill(wiring, clock, charges, emails)
        told, over = spawn.Queue(), spawn.Event()
        workers = [
            spawn.Process(target=work, args=(settings, url, told, over), kwargs={"letters": letters})
            for letters in (True, *[False] * settings.worker_processes)
        ]
        for worker in workers:
            worker.start()
            held.callback(worker.kill)
        built = House(wiring.database, (mail, pipe), workers[0], told, names)
        built.waits(lambda seconds: seconds < WARM_SECONDS)
        yield built
        over.set()
        for worker in workers:
            worker.join(timeout=90)


def told_waits(name: str, found: list[float], alone: list[float]) -> None:
    """Print what charges waited, and how that compares."""
    p95 = sorted(found)[int(0.95 * len(found))]
    ratio = statistics.median(found) / statistics.median(alone)
    print(
        f"{len(found):4} charges {name:30} waited {statistics.median(found) * 1000:.0f} ms (median, ratio {ratio:.1f}),"
        f" {p95 * 1000:.0f} ms (95 of 100), {max(found) * 1000:.0f} ms (longest)"
    )


def told_pace(taken: list[tuple[str, datetime]], began: datetime, per_second: float) -> bool:
    """Print the pace that the mail server saw: after the burst that may leave at once, and at no moment more than allowed, but for a
    second's worth that the way to it may have piled up; whether that holds."""
    burst = int(max(per_second * 5, 1))
    after = [(at - began).total_seconds() for _, at in taken]
    pace = (len(after) - burst) / after[-1]
    ahead = max(number + 1 - burst - per_second * seconds for number, seconds in enumerate(after))
    print(
        f"{len(after)} emails in {after[-1]:.1f} s; after the first {burst}, which may leave at once, {pace:.1f} a second:"
        f" {pace / per_second:.2f} of the configured {per_second:g}; most ahead of it: {max(ahead, 0):.0f}"
    )
    return ahead <= per_second


def main() -> int:
    """Measure and print; 1 where an email or a charge was lost or doubled, or the pace was not kept."""
    emails = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    per_second = float(sys.argv[2]) if len(sys.argv) > 2 else 20.0
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    flood_seconds = 1.5 * emails / per_second
    charges = int((WARM_SECONDS + ALONE_SECONDS + flood_seconds + HUNG_SECONDS) / EVERY_SECONDS) + 40
    with house(per_second, charges, emails + HUNG_EMAILS) as built:
        alone = built.waits(lambda seconds: seconds < ALONE_SECONDS)
        began, written = machine_now(), built.written_seconds()
        built.emails_due(1, emails)
        flooded = built.waits(lambda seconds: seconds < flood_seconds and built.sent() < emails)
        built.until_sent(emails)
        taken, each = built.taken(), (built.written_seconds() - written) / emails
        assert built.mail[0].pid is not None
        os.kill(built.mail[0].pid, signal.SIGSTOP)
        built.emails_due(emails + 1, emails + HUNG_EMAILS)
        hung = built.waits(lambda seconds: seconds < HUNG_SECONDS)
        os.kill(built.mail[0].pid, signal.SIGCONT)
        doubled_charges = sum(count - 1 for count in built.charged.values())
    paced = told_pace(taken, began, per_second)
    print(
        f"processor time of the process that writes: {each * 1000:.1f} ms an email, so at most {1 / each:.0f} a second"
    )
    got = Counter(to for to, _ in taken)
    lost, doubled = emails - len(got), len(taken) - len(got)
    print(f"lost {lost}, doubled {doubled}; charges doubled {doubled_charges}")
    told_waits("alone", alone, alone)
    told_waits("beside the emails", flooded, alone)
    told_waits("while the mail server hung", hung, alone)
    kept = paced and not (lost or doubled or doubled_charges)
    print("all of it holds" if kept else "NOT all of it holds")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
