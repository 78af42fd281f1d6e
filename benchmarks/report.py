"""How long the report takes at size: the month's page and every cut, warm and cold, and how that grows.

A seeded history is written by COPY, rolled up as the worker does it, and read through the real web process. The ratio at the end is
what to watch: a month's page should not care how many years lie behind it.

Measured at a million cases on two cores, one of them busy with other work:

    month's page 0.3 s warm, 1.0 s cold; cuts of cases 0.01 s to 0.04 s, cash 0.2 s, renewals 0.07 s, churn 0.5 s,
    lists behind figures up to 0.1 s, penalties and the attempts behind them 0.5 s, a year's page 2.6 s, the web process 154 MB

Cold, as the first page after files were dropped from memory and servers started, churn takes 1.1 s, penalties and their attempts 0.9 s
to 2.2 s. Cuts of cases are read from sums and do not grow; cash, renewals and churn grow with what lies in the month. Penalties count
the tries of two months card by card.
"""

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from recovery.reporting.report import View
from recovery.runtime.clock import machine_now
from recovery.runtime.embedded import embedded_postgres
from recovery.storage.connect import connect
from recovery.storage.migrate import upgrade
from recovery.storage.report_rollup import roll_up

MONTHS = 24
START_AT = datetime(2024, 11, 1, tzinfo=UTC)
MONTH = "2026-09"
TRIES = (0.1, 0.15, 0.15, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
"""Shares of cases with 1, 2, … 9 attempts: five on average."""

WARM_SECONDS_MAX, COLD_SECONDS_MAX, WEB_MB_MAX = 1.0, 3.0, 300
"""What a page may take on two quiet cores, and the web process in memory."""

BEHIND = {
    "cases": "state=recovered&money=refunded&currency=usd",
    "entries": "figure=net_minor&currency=usd",
    "subscriptions": "contract=month&currency=usd&which=net",
    "invoices": "currency=usd&which=failed",
    "attempts": "currency=usd",
}
"""Lists behind figures, one of each kind."""

CURRENCIES = ("usd",) * 6 + ("eur",) * 3 + ("jpy",)
CODES = ("insufficient_funds",) * 5 + (
    "do_not_honor",
    "generic_decline",
    "expired_card",
    "issuer_not_available",
    "lost_card",
)
BRANDS, COUNTRIES = ("visa", "visa", "mastercard", "amex"), ("US", "US", "DE", "GB", "BR", "JP", "IN", "FR")
INTERVALS = ("month", "month", "month", "year")
SOURCES = ("silent_retry",) * 6 + ("refreshed_card", "customer_after_email", "customer_unasked", "gateway_retry")

CASE_COLUMNS = """
    id gateway obligation customer subscription amount_minor currency state policy failed_at horizon_at subscribed_at interval
    card tried_card verdict dead_cards refreshes emails_sent email_tries escalations source ended_at opened_at changed_at segment
"""
FOREIGN_COLUMNS = "charge_id case_id amount_minor currency at initiator signals counts budget_key"
LEDGER_COLUMNS = "case_id kind ref charge_id source amount_minor currency occurred_at booked_at"
SUBSCRIPTION_COLUMNS = "id customer currency monthly_minor contract started_at ended_at ended_because read_at"
INVOICE_COLUMNS = "id customer subscription currency amount_minor state created_at"
ATTEMPT_COLUMNS = """
    id case_id step_id number card budget_key amount_minor currency started_at purpose status decline_class charge_id counts zone
    signals
"""

Row = tuple[Any, ...]


def history(number: int, of: int, dice: random.Random) -> tuple[Row, Row, list[Row], list[Row]]:
    """One case with its failed charge, its ledger and its attempts."""
    failed_at = START_AT + timedelta(seconds=MONTHS * 30.4375 * 86400 * number / of)
    case_id, currency, minor = (
        f"case_in_{number:08}",
        dice.choice(CURRENCIES),
        dice.choice((990, 1900, 4900, 9900, 29900)),
    )
    outcome = dice.random()
    state = "recovered" if outcome < 0.6 else "lost" if outcome < 0.9 else "withdrawn"
    ended_at = failed_at + timedelta(days=dice.random() * 20)
    source = dice.choice(SOURCES) if state == "recovered" else None
    card = json.dumps(
        {"payment_method": f"pm_{number}", "brand": dice.choice(BRANDS), "country": dice.choice(COUNTRIES)}
    )
    emails = int(source == "customer_after_email" or state == "lost")
    tenure = timedelta(days=dice.random() * 900)
    case = (
        case_id, "stripe", f"in_{number:08}", f"cus_{number}", f"sub_{number}", minor, currency, state, "bench", failed_at,
        failed_at + timedelta(days=21), failed_at - tenure, dice.choice(INTERVALS), card, card,
        '{"decline_class": "wait_for_funds"}', "[]", 1, emails, emails, 0, source, ended_at, failed_at, ended_at, "",
    )  # fmt: skip
    code = json.dumps({"decline_code": dice.choice(CODES)})
    failed = (f"ch_f{number}", case_id, minor, currency, failed_at, "gateway", code, True, f"pm_{number}")
    count = dice.choices(range(1, 10), TRIES)[0]
    ours = source in ("silent_retry", "refreshed_card")
    paid = f"ch_{number}_{count}" if ours else f"ch_p{number}"

    def entry(kind: str, ref: str, charge: str | None, amount: int, at: datetime) -> Row:
        return (case_id, kind, ref, charge, source if kind == "recovered" else None, amount, currency, at, at)

    booked = [entry("at_risk", f"in_{number:08}", f"ch_f{number}", minor, failed_at)]
    if state == "recovered":
        booked.append(entry("recovered", paid, paid, minor, ended_at))
        booked.append(entry("fee", paid, paid, minor * 29 // 1000 + 30, ended_at))
        if dice.random() < 0.03:
            booked.append(entry("refunded", f"re_{number}", paid, minor // 2, ended_at + timedelta(days=9)))
        if dice.random() < 0.005:
            booked.append(entry("dispute_opened", f"dp_{number}", paid, minor, ended_at + timedelta(days=30)))
    else:
        booked.append(
            entry("written_off" if state == "lost" else "withdrawn", f"in_{number:08}", None, minor, ended_at)
        )
    tried = [
        (
            f"a_{number}_{place}", case_id, 1, place, card, f"pm_{number}", minor, currency,
            failed_at + (ended_at - failed_at) * (place / count), "silent",
            "succeeded" if ours and place == count else "declined", None, f"ch_{number}_{place}", True, "America/New_York",
            None if ours and place == count else dice.choices(SIGNALS, (200, 200, 200, 100, 100, 199, 1))[0],
        )
        for place in range(1, count + 1)
    ]  # fmt: skip
    return case, failed, booked, tried


EVERY = 5
"""One case in so many has its subscription and its invoice among the imported ones: two hundred thousand beside a million cases."""

SIGNALS = tuple(
    json.dumps({"network_decline_code": decline} | ({"network_advice_code": advice} if advice else {}))
    for decline, advice in (
        ("51", None),
        ("51", "02"),
        ("05", "02"),
        ("51", "25"),
        ("91", None),
        ("05", None),
        ("43", None),
    )
)
"""What networks said of refused tries: nothing, try later, wait some hours; the last one forbids the card."""


def imported(made: Row) -> tuple[Row, Row]:
    """The subscription and the invoice behind a case."""
    named = dict(zip(CASE_COLUMNS.split(), made, strict=True))
    name, customer, currency, minor = (named[n] for n in ("subscription", "customer", "currency", "amount_minor"))
    left = named["ended_at"] if named["state"] != "recovered" else None
    monthly = minor if named["interval"] == "month" else minor // 12
    since, failed_at = named["subscribed_at"], named["failed_at"]
    because = "payment_failed" if named["state"] == "lost" else "cancellation_requested"
    subscription = (
        name, customer, currency, monthly, named["interval"], since, left, because if left else None, failed_at,
    )  # fmt: skip
    state = "paid" if named["state"] == "recovered" else "open"
    return subscription, (named["obligation"], customer, name, currency, minor, state, failed_at)


def fill(url: str, cases: int, seed: int) -> int:
    """Write the history; how many attempts it has."""
    dice, attempts = random.Random(seed), 0
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        # The history is consistent; checking it row by row is not the matter here.
        connection.execute("SET session_replication_role = replica")
        for begin in range(0, cases, 50_000):
            made = [history(number, cases, dice) for number in range(begin, min(cases, begin + 50_000))]
            for table, columns, rows in (
                ("cases", CASE_COLUMNS, [one[0] for one in made]),
                ("foreign_charges", FOREIGN_COLUMNS, [one[1] for one in made]),
                ("ledger", LEDGER_COLUMNS, [row for one in made for row in one[2]]),
                ("attempts", ATTEMPT_COLUMNS, [row for one in made for row in one[3]]),
                ("subscriptions", SUBSCRIPTION_COLUMNS, [imported(one[0])[0] for one in made[::EVERY]]),
                ("past_invoices", INVOICE_COLUMNS, [imported(one[0])[1] for one in made[::EVERY]]),
            ):
                with connection.cursor().copy(f"COPY {table} ({', '.join(columns.split())}) FROM STDIN") as out:
                    for row in rows:
                        out.write_row(row)
            attempts += sum(len(one[3]) for one in made)
        connection.execute("SET session_replication_role = origin")
        connection.execute("INSERT INTO report_stale (case_id) SELECT id FROM cases")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("ANALYZE")
    return attempts


def rolled_up(url: str) -> float:
    """Roll everything up as the worker does; the seconds it took."""
    engine, begun = connect(url), time.monotonic()
    while roll_up(engine, machine_now=machine_now(), limit=2000, zone="UTC"):
        pass
    took = time.monotonic() - begun
    engine.dispose()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return took


@contextmanager
def web(url: str) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """The real web process on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "DATABASE_URL": url.replace("+psycopg", ""),
        "PAGES": "open",
        "WEB_PORT": str(port),
        "LOG_LEVEL": "error",
    }
    environment = {**os.environ, **{f"RECOVERY_{name}": value for name, value in settings.items()}}
    environment["RECOVERY_BROKER_URL"] = "redis://127.0.0.1:1/0"
    process = subprocess.Popen([sys.executable, "-m", "recovery.runtime.cli", "web"], env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False) as client:
            for _ in range(600):
                try:
                    if client.get("/healthz").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield client, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def timed(client: httpx.Client, path: str) -> float:
    """Seconds of one page."""
    begun = time.monotonic()
    client.get(path, headers={"Accept": "text/html"}).raise_for_status()
    return time.monotonic() - begun


def forget_files(folder: Path) -> None:
    """Let the system drop what it keeps of these files in memory; best after the server has ended."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measured(folder: Path, cases: int, seed: int) -> dict[str, Any]:
    """One size: filled, rolled up, read cold and warm."""
    pages = {"month": f"/report?month={MONTH}", "year": "/report?from=2025-10-01&to=2026-09-30"} | {
        view.value: f"/report?month={MONTH}&by={view.value}" for view in View
    }
    pages |= {f"{name} behind": f"/report/{name}?month={MONTH}&{query}" for name, query in BEHIND.items()}
    found: dict[str, Any] = {"cases": cases}
    with embedded_postgres(folder) as server:
        upgrade(server.url)
        begun = time.monotonic()
        found["attempts"] = fill(server.url, cases, seed)
        found["filled_seconds"] = round(time.monotonic() - begun, 1)
        found["rolled_up_seconds"] = round(rolled_up(server.url), 1)
    forget_files(folder)
    with embedded_postgres(folder) as server, web(server.url) as (client, process):
        found["cold_seconds"] = round(timed(client, pages["month"]), 3)
        found["first_seconds"] = {name: round(timed(client, path), 3) for name, path in pages.items()}
        found["warm_seconds"] = {
            name: round(statistics.median(timed(client, path) for _ in range(3)), 3) for name, path in pages.items()
        }
        found["web_mb"] = round(process.memory_info().rss / 1e6)
    return found


def judged(one: dict[str, Any]) -> bool:
    """Whether a size keeps the limits of month and cuts; says which page does not."""
    slow = [name for name, seconds in one["warm_seconds"].items() if seconds > WARM_SECONDS_MAX and name != "year"]
    slow += [name for name, seconds in one["first_seconds"].items() if seconds > COLD_SECONDS_MAX]
    if one["cold_seconds"] > COLD_SECONDS_MAX:
        slow.append("month, cold")
    if one["web_mb"] > WEB_MB_MAX:
        slow.append(f"web process of {one['web_mb']} MB")
    if slow:
        print(f"  above the limits at {one['cases']:,} cases: {', '.join(slow)}")
    return not slow


def main() -> int:
    """Measure the sizes asked for and print one line a page; 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="100000,1000000", help="numbers of cases, separated by commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    given = parser.parse_args()
    found = []
    for size in (int(one) for one in given.sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            found.append(measured(Path(folder) / "postgres", size, given.seed))
        one = found[-1]
        print(f"{size:,} cases, {one['attempts']:,} attempts")
        print(f"  filled in {one['filled_seconds']} s, rolled up in {one['rolled_up_seconds']} s")
        print(
            f"  month cold (files dropped from memory, servers just started) {one['cold_seconds']} s; web process {one['web_mb']} MB"
        )
        for name, seconds in one["warm_seconds"].items():
            print(f"  {name:20} first {one['first_seconds'][name]:6.3f} s, warm {seconds:6.3f} s")
    if len(found) > 1:
        times = found[-1]["cases"] / found[0]["cases"]
        for page in ("month", "year"):
            ratio = found[-1]["warm_seconds"][page] / found[0]["warm_seconds"][page]
            print(f"{times:.0f} times the cases: {ratio:.1f} times the time of the {page}'s page")
    kept = all(judged(one) for one in found)
    print("limits kept" if kept else "limits NOT kept")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2), encoding="utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
