"""The report against a recount of the sandbox's own book and balance: every month, currency and export, to the cent."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from recounting import Book, cash_sums, churn_sums, cohort_sums, exports_hold, penalty_sums, renewal_sums
from sqlalchemy import text
from story_house import Ways
from story_support import Begin, Life
from structlog.testing import capture_logs

from recovery.intake.importing import Surroundings, import_all
from recovery.reporting.closing import Closing, MonthNotOver, close_month
from recovery.reporting.period import Asked, span_of
from recovery.reporting.report import Report, View, report
from recovery.reporting.table import TOTAL, Figure, Kind, Mean, Rate, Table
from recovery.reporting.tie_out import Cause, tie_out
from recovery.reporting.views import CUTS
from recovery.runtime.clock import machine_now
from recovery.simulation.answers import decline
from recovery.storage.closing_store import AlreadyClosed
from recovery.storage.report_rollup import roll_up

pytest_plugins = ["story_fixtures"]

ZONE = "America/Los_Angeles"
TUESDAY = datetime(2026, 10, 27, 17, 0, tzinfo=UTC)
LAST_HOUR = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
"""Half past eleven on the last evening of October in Los Angeles."""
DAY = timedelta(days=1)
BEFORE: dict[str, int] = {}
"""What subscriptions cost whose price changed in November, as the story fills it."""


def compared(life: Life, found: Report) -> None:
    """Every figure of cohorts, cash, attribution, churn, renewals and penalties against the recount, and every export against them."""
    book = Book(life.sandbox, ZONE)
    for view, expected in ((View.COHORT, cohort_sums(book)), (View.CASH, cash_sums(book))):
        told = {key: _whole_numbers(row) for key, row in _rows(found, view).items()}
        assert {key: Counter({n: v for n, v in sums.items() if v}) for key, sums in told.items()} == {
            key: Counter({n: v for n, v in sums.items() if v}) for key, sums in expected.items()
        }, view
    for key, sums in cohort_sums(book).items():
        row = _rows(found, View.COHORT)[key]
        assert row["rate_by_count"] == Rate(part=sums["recovered_cases"], whole=sums["cases"])
        assert row["rate_by_value"] == Rate(part=sums["recovered_minor"], whole=sums["at_risk_minor"])
        assert row["credited_rate_by_value"] == Rate(part=sums["credited_minor"], whole=sums["at_risk_minor"])
        assert row["days_to_recovery"] == Mean(seconds=sums["recovery_seconds"], cases=sums["recovered_cases"])
    _attributed(found, book)
    assert _rows(found, View.CHURN) == churn_sums(book, {"2026-11": BEFORE})
    assert _rows(found, View.RENEWALS) == renewal_sums(book)
    assert _rows(found, View.PENALTIES) == penalty_sums(book)
    _cuts_compared(life, found)
    exports_hold(found)


def _rows(found: Report, view: View) -> dict[tuple[str, str], dict[str, Figure]]:
    table = next(table for table in found.tables if table.name == view)
    return {(row.key, row.currency): dict(row.figures) for row in table.rows if row.key != TOTAL}


def _whole_numbers(row: dict[str, Figure]) -> dict[str, int]:
    return {name: value for name, value in row.items() if isinstance(value, int)}


def _attributed(found: Report, book: Book) -> None:
    """By source: what our own charges brought is a silent retry's, and credited; nobody else paid."""
    sources = {(key, currency): row for (key, currency), row in _rows(found, View.SOURCE).items()}
    for currency in {one.currency for one in book.paid.values()}:
        mine = [one for one in book.paid.values() if one.currency == currency]
        assert {one.initiator for one in mine} == {"engine"}
        row = sources["silent_retry", currency]
        assert (row["credited"], row["cases"]) == ("yes", len(mine))
        assert row["recovered_minor"] == sum(one.amount_minor for one in mine)
    assert {currency for _, currency in sources} == {one.currency for one in book.paid.values()}


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


@pytest.fixture
def lived(begin: Begin) -> tuple[Life, dict[str, str]]:
    """Money in three currencies over a month's end: refunds in parts, disputes won and lost, a payment that takes days."""
    life = begin(ways=Ways(at=TUESDAY), processing_seconds=6 * 86400)
    never = ("insufficient_funds",) * 20
    invoices = {
        name: life.fail(*answers, amount_minor=minor, currency=currency)
        for name, currency, minor, answers in (
            ("dollars", "usd", 4900, ("issuer_not_available", "approve")),
            ("yen", "jpy", 1980, ("issuer_not_available", "approve")),
            ("dinars", "kwd", 12345, ("issuer_not_available", "approve")),
            ("won", "usd", 2000, ("issuer_not_available", "approve")),
            ("lost", "usd", 3000, ("issuer_not_available", "approve")),
            ("slow", "usd", 7700, ("issuer_not_available", "processing")),
            ("open", "usd", 6100, never),
            ("given up", "usd", 5300, never),
            ("voided", "jpy", 2500, never),
            ("left", "usd", 4400, never),
        )
    }
    _more_failures(life)
    _imported(life)
    life.run_until(LAST_HOUR)
    life.merchant(f"invoices/{invoices['given up']}/mark_uncollectible")
    returned = life.sandbox.refund(invoices["dollars"], amount_minor=900)
    life.sandbox.refund(invoices["yen"])
    disputes = {name: life.sandbox.dispute(invoices[name]) for name in ("won", "lost")}
    life.run(hours=1)
    failing = life.sandbox.refund(invoices["dollars"], amount_minor=333)
    life.sandbox.refund(invoices["dinars"], amount_minor=45)
    life.sandbox.void(invoices["voided"])
    life.sandbox.cancel_subscription(_sold(life, invoices["left"]))
    life.run(hours=1)
    _subscriptions_change(life, invoices)
    life.run(days=2)
    _settled(life)
    return life, invoices | {
        "failing": failing,
        "returned": returned,
        **{f"dispute {name}": one for name, one in disputes.items()},
    }


def _sold(life: Life, invoice: str) -> str:
    return str(life.sandbox.read(invoice)["parent"]["subscription_details"]["subscription"])


def _more_failures(life: Life) -> None:
    """A yearly subscription, and a card of a network that charges for its advice."""
    person = life.sandbox.make_customer()
    yearly = life.sandbox.make_subscription(person, amount_minor=12005, interval="year")
    life.sandbox.make_card(person, ("issuer_not_available", "approve"))
    life.sandbox.make_failed_invoice(person, amount_minor=12005, subscription=yearly)
    advised = replace(decline("insufficient_funds", brand="mastercard"), network_advice_code="25")
    life.fail_on((advised, advised, "approve"), brand="mastercard")


def _subscriptions_change(life: Life, invoices: dict[str, str]) -> None:
    """In November: one ends because of its payment, two change their price, a second renewal of one fails and is recovered."""
    store = life.sandbox.core.store
    with store.lock:
        ended = store.get("subscription", _sold(life, invoices["given up"]))
        ended.update(status="canceled", ended_at=int(life.now.timestamp()))
        ended["cancellation_details"] = {"comment": None, "feedback": None, "reason": "payment_failed"}
        for name, minor in (("won", 2600), ("slow", 7000)):
            price = store.get("subscription", _sold(life, invoices[name]))["items"]["data"][0]["price"]
            BEFORE[_sold(life, invoices[name])] = price["unit_amount"]
            price["unit_amount"] = minor
    person = life.customer(invoices["dollars"])
    life.sandbox.make_card(person, ("issuer_not_available", "approve"))
    life.sandbox.make_failed_invoice(person, amount_minor=4900, subscription=_sold(life, invoices["dollars"]))


def _settled(life: Life) -> None:
    """The books are kept, and everything is imported once more."""
    while life.wiring.keep_books():
        pass
    _imported(life)


def _imported(life: Life) -> None:
    around = Surroundings(
        database=life.wiring.database,
        gateway=life.wiring.gateway,
        now=life.now,
        machine_clock=machine_now,
        wait=lambda: None,
    )
    assert all(progress.finished_at for _, progress in import_all(around))


def shown(life: Life, *views: View) -> Report:
    asked = Asked(first="2026-09-01", last="2026-12-31", zone=ZONE)
    span = span_of(asked, now=life.now)
    networks = life.wiring.rulebook.networks
    return report(
        life.wiring.database, span, made_at=life.now, views=views or tuple(View), with_days=False, networks=networks
    )


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
    _settled(life)
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
    _tied_out(life, made)
    _late_booking(life, made["dollars"])
    _rolled_up_is_the_same(life)


def _differences(life: Life, month: str) -> list[tuple[Cause, str, str]]:
    span = span_of(Asked(month=month, zone=ZONE), now=life.now)
    found = tie_out(life.wiring.database, life.wiring.gateway, span)
    assert found.entries > 0 or month == "2026-12"
    return [(one.cause, one.kind, one.ref) for one in found.differences]


def _tied_out(life: Life, made: dict[str, str]) -> None:
    """What nobody told us of is a difference until it is told, also where it began in the month before; and so is a false end."""
    assert _differences(life, "2026-10") == []
    assert _differences(life, "2026-11") == []
    life.lose_webhooks()
    refund, returned = life.sandbox.refund(made["dinars"], amount_minor=7), made["returned"]
    life.sandbox.fail_refund(returned)  # of October
    card = life.sandbox.make_card(life.customer(made["given up"]), ("approve",))
    assert life.sandbox.customer_pays(made["given up"], method=card) is None
    life.run(minutes=5)
    charge = max(life.sandbox.ledger.succeeded(), key=lambda one: one.at).charge
    unheard = (Cause.NOT_BOOKED, "recovered", charge)
    failed = (Cause.NOT_BOOKED, "refund_failed", returned)
    assert _differences(life, "2026-11") == [unheard, failed, (Cause.NOT_BOOKED, "refunded", refund)]
    assert _differences(life, "2026-12") == [unheard, failed], "they may be as late as this"
    life.sandbox.faults.clear()
    for kind, one in (("refund.updated", refund), ("refund.updated", returned), ("invoice.paid", made["given up"])):
        assert life.post(kind, life.sandbox.read(one)).status_code == 200
    life.work()
    _settled(life)
    assert _differences(life, "2026-11") == []
    won = made["dispute lost"]
    _book(life, made["lost"], kind="dispute_won", ref=won, minor=3000, at=life.now)
    assert _differences(life, "2026-11") == [(Cause.END, "dispute_won", won)]


def _book(life: Life, invoice: str, *, kind: str, ref: str, minor: int, at: datetime) -> None:
    """An entry that nothing at the gateway led to; it counts at once."""
    case = f"case_{invoice}"
    with life.wiring.database.begin() as tx:
        tx.execute(
            text(
                """INSERT INTO ledger (case_id, kind, ref, charge_id, amount_minor, currency, occurred_at, booked_at)
                SELECT case_id, :kind, :ref, charge_id, :minor, currency, :at, :now FROM ledger
                WHERE kind = 'recovered' AND case_id = :case"""
            ),
            {"kind": kind, "ref": ref, "minor": minor, "at": at, "now": life.now, "case": case},
        )
        tx.execute(text("UPDATE cases SET changed_at = :now WHERE id = :case"), {"now": life.now, "case": case})


def _late_booking(life: Life, invoice: str) -> None:
    """A refund of October that is only heard of now: the ledger shows it as a restatement of the closed month."""
    _book(life, invoice, kind="refunded", ref="re_late", minor=100, at=LAST_HOUR - DAY)
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
    with capture_logs() as told:
        _report_without_sums_equals_the_one_with(life)
    assert told == [], "what was marked as changed was never wrong"
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
        found = report(database, span, made_at=life.now, networks=life.wiring.rulebook.networks)
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
