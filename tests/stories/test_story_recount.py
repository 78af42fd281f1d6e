"""The report against a recount of the sandbox's own book and balance: every month, currency and export, to the cent."""

import csv
import io
import json
import re
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from story_house import Ways
from story_support import Begin, Life

from recovery.money import exponent
from recovery.reporting.closing import Closing, MonthNotOver, close_month
from recovery.reporting.export import as_csv, as_json
from recovery.reporting.period import Asked, span_of
from recovery.reporting.report import Report, View, report
from recovery.reporting.table import TOTAL, Kind, Table
from recovery.reporting.tie_out import Cause, tie_out
from recovery.reporting.views import CUTS
from recovery.reporting.workbook import as_xlsx
from recovery.runtime.clock import machine_now
from recovery.storage.closing_store import AlreadyClosed
from recovery.storage.report_rollup import roll_up

pytest_plugins = ["story_fixtures"]

ZONE = "America/Los_Angeles"
TUESDAY = datetime(2026, 10, 27, 17, 0, tzinfo=UTC)
LAST_HOUR = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
"""Half past eleven on the last evening of October in Los Angeles."""
DAY = timedelta(days=1)

Recount = dict[tuple[str, str], Counter[str]]


def month_of(at: datetime) -> str:
    return f"{at.astimezone(ZoneInfo(ZONE)):%Y-%m}"


def recount(life: Life) -> Recount:
    """Straight from the sandbox's ledger and balance, by month and currency."""
    found: Recount = {}

    def add(at: datetime, currency: str, name: str, minor: int) -> None:
        found.setdefault((month_of(at), currency), Counter())[name] += minor

    failed = {entry.invoice for entry in life.sandbox.ledger.entries if entry.outcome == "declined"}
    paid = [entry for entry in life.sandbox.ledger.succeeded() if entry.invoice in failed]
    for entry in paid:
        add(entry.at, entry.currency, "recovered_minor", entry.amount_minor)
    ours = {entry.charge for entry in paid}
    sign = {"refund": 1, "refund_failed": -1, "dispute_opened": 1, "dispute_won": -1, "dispute_lost": 0}
    for move in life.sandbox.ledger.movements:
        if move.charge in ours:
            name = "refunded_minor" if move.kind.startswith("refund") else "disputed_minor"
            add(move.at, move.currency, name, sign[move.kind] * move.amount_minor)
    store = life.sandbox.core.store
    of_dispute = {dispute["id"]: dispute["charge"] for dispute in store.newest("dispute")}
    for line in store.newest("balance_transaction"):
        if of_dispute.get(line["source"], line["source"]) in ours:
            add(datetime.fromtimestamp(line["created"], tz=UTC), line["currency"], "fee_minor", line["fee"])
    return found


def cohorts(life: Life) -> Recount:
    """By month of the failure: the money whenever it came, a dispute that was won taken off, and who started the charge."""
    first: dict[str, datetime] = {}
    for entry in life.sandbox.ledger.entries:
        if entry.outcome == "declined":
            first.setdefault(entry.invoice, entry.at)
    found: Recount = {}
    cases = {entry.charge: entry for entry in life.sandbox.ledger.succeeded() if entry.invoice in first}
    for entry in cases.values():
        sums = found.setdefault((month_of(first[entry.invoice]), entry.currency), Counter())
        sums["recovered_minor"] += entry.amount_minor
        sums["recovered_cases"] += 1
        sums["credited_minor"] += entry.amount_minor if entry.initiator == "engine" else 0
    sign = {"refund": 1, "refund_failed": -1, "dispute_opened": 1, "dispute_won": -1, "dispute_lost": 0}
    for move in life.sandbox.ledger.movements:
        if (paid := cases.get(move.charge)) is not None:
            name = "refunded_minor" if move.kind.startswith("refund") else "disputed_minor"
            found[month_of(first[paid.invoice]), paid.currency][name] += sign[move.kind] * move.amount_minor
    return found


def cells(found: Report, view: View) -> set[float]:
    """Every number on a sheet of the workbook."""
    sheet = [table.name for table in found.tables].index(view) + 1
    with zipfile.ZipFile(io.BytesIO(as_xlsx(found))) as book:
        text = book.read(f"xl/worksheets/sheet{sheet}.xml").decode()
    return {float(value) for value in re.findall(r"<c r=[^>]*><v>([^<]*)</v>", text)}


def compared(life: Life, found: Report) -> None:
    """The cash table, its exports, cohorts and attribution against the recount."""
    expected = cohorts(life)
    cohort = next(table for table in found.tables if table.name == View.COHORT)
    for row in cohort.rows:
        wanted = expected[row.key, row.currency]
        assert {name: row.figures[name] for name in wanted} == dict(wanted), (row.key, row.currency)
        at_risk = Decimal(int(str(row.figures["at_risk_minor"]))).scaleb(-exponent(row.currency))
        assert float(at_risk) in cells(found, View.COHORT)
    sources = next(table for table in found.tables if table.name == View.SOURCE)
    for currency in {row.currency for row in sources.rows}:
        told = sum(int(str(r.figures["recovered_minor"])) for r in sources.rows if r.currency == currency)
        assert told == sum(sums["recovered_minor"] for (_, of), sums in expected.items() if of == currency)
    _cash_compared(life, found)
    _cuts_compared(life, found)


def _cuts_compared(life: Life, found: Report) -> None:
    """Every cut adds up to the cohorts in every column; attempts, hours and what was at risk are those of the gateway's book."""
    tables = {table.name: table for table in found.tables}
    added = [column.name for column in tables[View.COHORT].columns if column.kind in (Kind.COUNT, Kind.MONEY)]

    def sums(table: Table, names: list[str]) -> dict[str, Counter[str]]:
        told: dict[str, Counter[str]] = {}
        for row in (row for row in table.rows if row.key != TOTAL):
            told.setdefault(row.currency, Counter()).update({name: int(str(row.figures[name])) for name in names})
        return told

    expected = sums(tables[View.COHORT], added)
    for view in (view for view in CUTS if view in tables):
        assert sums(tables[view], added) == expected, view
    entries = list({entry.charge: entry for entry in life.sandbox.ledger.entries}.values())
    failed = {entry.invoice for entry in entries if entry.outcome == "declined"}
    tried: dict[str, Counter[str]] = {}
    for entry in (entry for entry in entries if entry.invoice in failed and entry.initiator == "engine"):
        won = entry.outcome == "succeeded"
        minor = entry.amount_minor if won else 0
        tried.setdefault(entry.currency, Counter()).update(attempts=1, succeeded=int(won), recovered_minor=minor)
    for view in (View.ATTEMPT, View.HOURS):
        assert sums(tables[view], ["attempts", "succeeded", "recovered_minor"]) == tried, view
    owed: dict[str, dict[str, int]] = {}
    for entry in entries:
        if entry.invoice in failed:
            owed.setdefault(entry.currency, {})[entry.invoice] = entry.amount_minor
    assert {one: told["at_risk_minor"] for one, told in expected.items()} == {
        one: sum(each.values()) for one, each in owed.items()
    }


def _cash_compared(life: Life, found: Report) -> None:
    expected = recount(life)
    numbers = cells(found, View.CASH)
    for (_, currency), wanted in expected.items():
        major = {float(Decimal(minor).scaleb(-exponent(currency))) for minor in wanted.values()}
        assert major <= numbers, "the workbook has another number"
    names = ("recovered_minor", "refunded_minor", "disputed_minor", "fee_minor")
    table = next(table for table in found.tables if table.name == View.CASH)
    rows = {(row.key, row.currency): row.figures for row in table.rows if row.key != TOTAL}
    told = {key: Counter({name: int(str(row[name])) for name in names}) for key, row in rows.items()}
    assert {key: +sums for key, sums in told.items() if +sums} == {
        key: +sums for key, sums in expected.items() if +sums
    }
    assert {key: -sums for key, sums in told.items() if -sums} == {
        key: -sums for key, sums in expected.items() if -sums
    }
    for key, row in rows.items():
        sums = expected.get(key, Counter())
        net = sums["recovered_minor"] - sums["refunded_minor"] - sums["disputed_minor"] - sums["fee_minor"]
        assert row["net_minor"] == net
    lines = {
        (line["key"], line["currency"], line["figure"]): line["value"]
        for line in csv.DictReader(io.StringIO(as_csv(found)))
        if line["table"] == View.CASH
    }
    exported = {(row["key"], row["currency"]): row for row in json.loads(as_json(found))["tables"]["cash"]["rows"]}
    for (month, currency), row in rows.items():
        for name in (*names, "net_minor"):
            assert lines[month, currency, name] == str(row[name]) == str(exported[month, currency][name])


@pytest.fixture
def lived(begin: Begin) -> tuple[Life, dict[str, str]]:
    """Money in three currencies over a month's end: refunds in parts, disputes won and lost, a payment that takes days."""
    life = begin(ways=Ways(at=TUESDAY), processing_seconds=6 * 86400)
    invoices = {
        name: life.fail(*answers, amount_minor=minor, currency=currency)
        for name, currency, minor, answers in (
            ("dollars", "usd", 4900, ("issuer_not_available", "approve")),
            ("yen", "jpy", 1980, ("issuer_not_available", "approve")),
            ("dinars", "kwd", 12345, ("issuer_not_available", "approve")),
            ("won", "usd", 2000, ("issuer_not_available", "approve")),
            ("lost", "usd", 3000, ("issuer_not_available", "approve")),
            ("slow", "usd", 7700, ("issuer_not_available", "processing")),
        )
    }
    life.run_until(LAST_HOUR)
    life.sandbox.refund(invoices["dollars"], amount_minor=900)
    life.sandbox.refund(invoices["yen"])
    disputes = {name: life.sandbox.dispute(invoices[name]) for name in ("won", "lost")}
    life.run(hours=1)
    failing = life.sandbox.refund(invoices["dollars"], amount_minor=333)
    life.sandbox.refund(invoices["dinars"], amount_minor=45)
    life.run(days=2)
    while life.wiring.keep_books():
        pass
    return life, invoices | {"failing": failing, **{f"dispute {name}": one for name, one in disputes.items()}}


def shown(life: Life, *views: View) -> Report:
    asked = Asked(first="2026-09-01", last="2026-12-31", zone=ZONE)
    span = span_of(asked, now=life.now)
    return report(life.wiring.database, span, made_at=life.now, views=views or tuple(View), with_days=False)


def test_the_report_equals_a_recount_of_the_gateways_book(lived: tuple[Life, dict[str, str]]) -> None:
    life, made = lived
    compared(life, shown(life))
    with pytest.raises(MonthNotOver, match="2026-11 is not over"):
        close_month(life.wiring.database, Closing(month="2026-11", zone=ZONE, closed_by="finance"), now=life.now)
    october = Closing(month="2026-10", zone=ZONE, closed_by="finance")
    first = close_month(life.wiring.database, october, now=life.now)
    assert first.figures["cash"]["usd"]["disputed_minor"] == 5000
    with pytest.raises(AlreadyClosed):
        close_month(life.wiring.database, october, now=life.now)
    assert not [row for row in _restated(shown(life)) if row["restated_minor"]]

    life.sandbox.fail_refund(made["failing"])
    life.sandbox.close_dispute(made["dispute won"], won=True)
    life.sandbox.close_dispute(made["dispute lost"], won=False)
    life.run(days=8)
    while life.wiring.keep_books():
        pass
    after = shown(life)
    compared(life, after)
    rows = {row["key"]: row for row in _restated(after) if row["currency"] == "usd"}
    assert rows["2026-10 net, by cash date"]["restated_minor"] == 0, "what came later belongs to its own month"
    assert rows["2026-10 disputed, by cohort"] == {
        "key": "2026-10 disputed, by cohort",
        "currency": "usd",
        "first_minor": 5000,
        "now_minor": 3000,
        "restated_minor": -2000,
    }
    _tied_out(life, made["dinars"])
    _late_booking(life, made["dollars"])
    _rolled_up_is_the_same(life)


def _differences(life: Life, month: str) -> list[tuple[Cause, str, str]]:
    span = span_of(Asked(month=month, zone=ZONE), now=life.now)
    found = tie_out(life.wiring.database, life.wiring.gateway, span)
    assert found.entries > 0
    return [(one.cause, one.kind, one.ref) for one in found.differences]


def _tied_out(life: Life, invoice: str) -> None:
    """Both months are clean; a refund nobody told us of is a difference until it is told."""
    assert _differences(life, "2026-10") == []
    assert _differences(life, "2026-11") == []
    life.lose_webhooks()
    refund = life.sandbox.refund(invoice, amount_minor=7)
    life.run(minutes=5)
    assert _differences(life, "2026-11") == [(Cause.NOT_BOOKED, "refunded", refund)]
    life.sandbox.faults.clear()
    assert life.post("refund.updated", life.sandbox.read(refund)).status_code == 200
    life.work()
    assert _differences(life, "2026-11") == []


def _late_booking(life: Life, invoice: str) -> None:
    """A refund of October that is only heard of now: the ledger shows it as a restatement of the closed month."""
    with life.wiring.database.begin() as tx:
        tx.execute(
            text(
                """INSERT INTO ledger (case_id, kind, ref, charge_id, amount_minor, currency, occurred_at, booked_at)
                SELECT case_id, 'refunded', 're_late', charge_id, 100, currency, :at, :now FROM ledger
                WHERE kind = 'recovered' AND case_id = :case"""
            ),
            {"at": LAST_HOUR - DAY, "now": life.now, "case": f"case_{invoice}"},
        )
        tx.execute(
            text("UPDATE cases SET changed_at = :now WHERE id = :case"), {"now": life.now, "case": f"case_{invoice}"}
        )
    rows = {row["key"]: row["restated_minor"] for row in _restated(shown(life)) if row["currency"] == "usd"}
    assert rows["2026-10 net, by cash date"] == -100
    assert rows["2026-10 refunded, by cash date"] == 100
    assert _differences(life, "2026-10") == [(Cause.NOT_AT_GATEWAY, "refunded", "re_late")]


def _restated(found: Report) -> list[dict[str, Any]]:
    table = next(table for table in found.tables if table.name == View.RESTATED)
    return [{"key": row.key, "currency": row.currency, **row.figures} for row in table.rows]


def _rolled_up_is_the_same(life: Life) -> None:
    """The report is the same before, during and after rolling up, and a line that went wrong is mended."""
    database = life.wiring.database
    _report_without_sums_equals_the_one_with(life)
    while roll_up(database, machine_now=machine_now(), limit=3, zone=ZONE):
        pass
    every = "SELECT * FROM case_figures_live ORDER BY case_id"
    kept = "SELECT {} FROM case_figures ORDER BY case_id"
    with database.begin() as tx:
        assert tx.execute(text("SELECT count(*) FROM report_stale")).scalar_one() == 0
        live = [tuple(row) for row in tx.execute(text(every))]
        names = ", ".join(tx.execute(text(every)).keys())
        assert [tuple(row) for row in tx.execute(text(kept.format(names)))] == live
    rolled_up = shown(life)
    with database.begin() as tx:
        tx.execute(text("INSERT INTO report_stale (case_id) SELECT id FROM cases"))
    assert shown(life).tables == rolled_up.tables
    with database.begin() as tx:
        tx.execute(text("DELETE FROM report_stale"))
        tx.execute(text("UPDATE case_figures SET recovered_minor = recovered_minor + 1, state = 'lost'"))
        tx.execute(text("UPDATE figure_sums SET recovered_minor = recovered_minor + 1, cases = cases + 1"))
        tx.execute(text("UPDATE figure_months SET made_at = made_at - interval '2 hours'"))
    assert shown(life).tables != rolled_up.tables
    for _ in range(4):
        roll_up(database, machine_now=machine_now(), limit=3, zone=ZONE)
    assert shown(life).tables == rolled_up.tables


def _report_without_sums_equals_the_one_with(life: Life) -> None:
    """Line by line, added up, and added up with cases that changed since: each time the same report, chart and all."""
    database = life.wiring.database

    def report_now() -> tuple[Any, ...]:
        span = span_of(Asked(first="2026-09-15", last="2026-12-31", zone=ZONE), now=life.now)
        found = report(database, span, made_at=life.now)
        return found.tables, found.days

    with database.begin() as tx:
        assert (
            tx.execute(text("SELECT count(*) FROM figure_months WHERE zone = :zone"), {"zone": ZONE}).scalar_one() == 0
        )
    line_by_line = report_now()
    while roll_up(database, machine_now=machine_now(), limit=2, zone=ZONE):
        pass
    with database.begin() as tx:
        assert (
            tx.execute(text("SELECT count(*) FROM figure_months WHERE zone = :zone"), {"zone": ZONE}).scalar_one() > 0
        )
        assert tx.execute(text("SELECT count(*) FROM report_stale")).scalar_one() == 0
    assert report_now() == line_by_line
    with database.begin() as tx:
        tx.execute(
            text(
                "UPDATE cases SET emails_sent = emails_sent + 1 WHERE id IN (SELECT id FROM cases ORDER BY id LIMIT 2)"
            )
        )
    changed = report_now()
    assert changed != line_by_line
    while roll_up(database, machine_now=machine_now(), limit=1, zone=ZONE):
        pass
    assert report_now() == changed
    with database.begin() as tx:
        tx.execute(
            text(
                "UPDATE cases SET emails_sent = emails_sent - 1 WHERE id IN (SELECT id FROM cases ORDER BY id LIMIT 2)"
            )
        )
    assert report_now() == line_by_line
