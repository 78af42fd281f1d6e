"""The report against lives that were really lived, recounted by hand."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from building import MONDAY, Life
from sqlalchemy import text

from recovery.cases import facts
from recovery.cases.lifecycle import State
from recovery.declines.signals import Initiator
from recovery.money import Money
from recovery.reporting.chart import chart, uncharted
from recovery.reporting.closing import Closing, close_month
from recovery.reporting.export import as_csv, as_json
from recovery.reporting.period import Asked, PeriodInvalid, first_and_last_day, span_of
from recovery.reporting.report import Report, View, report
from recovery.reporting.table import TOTAL, Figure, Rate
from recovery.runtime.clock import machine_now
from recovery.storage.report_rollup import roll_up

NOW = datetime(2026, 12, 31, tzinfo=UTC)


def asked(life: Life, **period: Any) -> Report:
    span = span_of(Asked(**period), now=NOW)
    return report(life.wiring.database, span, made_at=NOW, networks=life.wiring.rulebook.networks)


def figures(found: Report, view: View, key: str, currency: str = "usd") -> dict[str, Figure]:
    table = next(table for table in found.tables if table.name == view)
    row = next(row for row in table.rows if (row.key, row.currency) == (key, currency))
    return dict(row.figures)


def usd(minor: int) -> Money:
    return Money(minor=minor, currency="usd")


def refund(life: Life, case_id: str, charge: str, minor: int, *, ref: str = "re_1", failed: bool = False) -> None:
    made = facts.PaymentRefunded(refund_id=ref, charge_id=charge, amount=usd(minor), at=life.at, failed=failed)
    life.tell(case_id, made)


def charge_of(life: Life, case_id: str) -> str:
    charge = life.case(case_id).attempts[-1].charge_id
    assert charge is not None
    return charge


def test_every_end_is_counted_once_and_the_open_ones_are_in_the_denominator(life: Life) -> None:
    life.attempt(life.fail("won", minor=1000, at=MONDAY))
    life.fail("open", minor=2000, at=MONDAY)
    lost = life.fail("lost", minor=3000, at=MONDAY)
    life.tell(lost, facts.InvoiceWrittenOff(obligation_id="lost", at=life.at))
    gone = life.fail("gone", minor=4000, at=MONDAY)
    life.tell(gone, facts.SubscriptionCancelled(subscription="sub_gone", at=life.at))

    found = figures(asked(life, month="2026-09"), View.COHORT, "2026-09")

    assert [found[name] for name in ("cases", "recovered_cases", "open_cases", "lost_cases", "withdrawn_cases")] == [
        4,
        1,
        1,
        1,
        1,
    ]
    assert found["at_risk_minor"] == 10000
    assert [found[name] for name in ("recovered_minor", "open_minor", "lost_minor", "withdrawn_minor")] == [
        1000,
        2000,
        3000,
        4000,
    ]
    assert found["rate_by_count"] == Rate(part=1, whole=4)
    assert found["rate_by_value"] == Rate(part=1000, whole=10000)


def test_a_case_given_up_and_paid_later_is_recovered_and_no_longer_lost(life: Life) -> None:
    case = life.fail("late", minor=5000, at=MONDAY)
    life.tell(case, facts.InvoiceWrittenOff(obligation_id="late", at=life.at))
    life.at += timedelta(days=40)
    life.pay(case)

    found = asked(life)
    cohort = figures(found, View.COHORT, "2026-09")
    assert (cohort["recovered_cases"], cohort["lost_cases"], cohort["lost_minor"]) == (1, 0, 0)
    assert cohort["recovered_minor"] == 5000
    assert figures(found, View.CASH, "2026-09")["lost_minor"] == 5000, "a month that is over keeps its figure"
    assert figures(found, View.CASH, "2026-10")["lost_minor"] == -5000
    assert figures(found, View.CASH, "2026-10")["recovered_minor"] == 5000
    assert figures(found, View.CASH, TOTAL)["lost_minor"] == 0


def test_customers_unasked_and_the_gateways_retries_are_never_credited(life: Life) -> None:
    life.attempt(life.fail("ours", minor=1000, at=MONDAY))
    life.pay(life.fail("theirs", minor=200, at=MONDAY))
    life.pay(life.fail("gateways", minor=30, at=MONDAY), initiator=Initiator.GATEWAY)

    found = asked(life, month="2026-09")
    cohort = figures(found, View.COHORT, "2026-09")
    assert (cohort["recovered_minor"], cohort["credited_minor"]) == (1230, 1000)
    assert (cohort["recovered_cases"], cohort["credited_cases"]) == (3, 1)
    by_source = {
        row.key: (row.figures["recovered_minor"], row.figures["credited"])
        for table in found.tables
        if table.name == View.SOURCE
        for row in table.rows
    }
    assert by_source["silent_retry"] == (1000, "yes")
    assert by_source["customer_unasked"] == (200, "never")
    assert by_source["gateway_retry"] == (30, "never")
    assert "backup_card" not in by_source


def test_refunds_and_disputes_lower_the_net_and_leave_the_gross(life: Life) -> None:
    case = life.fail("part", minor=1000, at=MONDAY)
    life.attempt(case)
    charge = charge_of(life, case)
    refund(life, case, charge, 250)
    refund(life, case, charge, 100, ref="re_2")
    refund(life, case, charge, 100, ref="re_2", failed=True)

    open_dispute = life.fail("disputed", minor=2000, at=MONDAY)
    won_dispute = life.fail("won", minor=3000, at=MONDAY)
    for number, disputed in enumerate((open_dispute, won_dispute)):
        life.attempt(disputed)
        opened = facts.DisputeOpened(
            dispute_id=f"dp_{number}",
            charge_id=charge_of(life, disputed),
            amount=life.case(disputed).amount,
            at=life.at,
        )
        life.tell(disputed, opened)
    closed = facts.DisputeClosed(
        dispute_id="dp_1", charge_id=charge_of(life, won_dispute), amount=usd(3000), at=life.at, won=True
    )
    life.tell(won_dispute, closed)

    found = asked(life)
    for view in (View.COHORT, View.CASH):
        seen = figures(found, view, "2026-09")
        assert (seen["recovered_minor"], seen["refunded_minor"], seen["disputed_minor"]) == (6000, 250, 2000), view
        assert seen["net_minor"] == 3750, view
    assert figures(found, View.SOURCE, "silent_retry")["kept_minor"] == 3750


def test_a_dispute_known_only_since_it_was_lost_counts_once(life: Life) -> None:
    case = life.fail("unheard", minor=1000, at=MONDAY)
    life.attempt(case)
    lost = facts.DisputeClosed(
        dispute_id="dp_9", charge_id=charge_of(life, case), amount=usd(1000), at=life.at, won=False
    )
    life.tell(case, lost)
    found = asked(life)
    assert figures(found, View.COHORT, "2026-09")["disputed_minor"] == 1000
    assert figures(found, View.CASH, "2026-09")["disputed_minor"] == 1000


@pytest.mark.parametrize(("won", "taken"), [(False, 600), (True, 0)])
def test_a_dispute_that_ends_over_another_amount_takes_what_it_took(life: Life, won: bool, taken: int) -> None:
    """The cardholder withdrew a part of it meanwhile: by cash date as by cohort, and nobody gets more back than was taken."""
    case = life.fail("partly", minor=1000, at=MONDAY)
    life.attempt(case)
    named = {"dispute_id": "dp_9", "charge_id": charge_of(life, case)}
    life.tell(case, facts.DisputeOpened(**named, amount=usd(1000), at=life.at))
    life.tell(case, facts.DisputeClosed(**named, amount=usd(600), at=life.at, won=won))
    found = asked(life)
    assert figures(found, View.COHORT, "2026-09")["disputed_minor"] == taken
    assert figures(found, View.CASH, "2026-09")["disputed_minor"] == taken


def test_a_refund_of_money_that_was_never_counted_is_not_taken_off(life: Life) -> None:
    case = life.fail("before", minor=1000, at=MONDAY)
    life.attempt(case)
    refund(life, case, "ch_before_the_failure", 700)
    found = asked(life)
    assert figures(found, View.COHORT, "2026-09")["refunded_minor"] == 0
    assert figures(found, View.CASH, "2026-09")["refunded_minor"] == 0


def test_what_is_at_risk_follows_the_amount_owed_and_equals_the_ledgers_last_word(life: Life) -> None:
    case = life.fail("credited", minor=5000, at=MONDAY)
    life.owe(case, 4200)
    life.refresh(case)
    life.fail("same", minor=700, at=MONDAY)

    assert figures(asked(life), View.COHORT, "2026-09")["at_risk_minor"] == 4900
    with life.wiring.database.connect() as tx:
        last_words = tx.execute(
            text(
                """SELECT sum(amount_minor) FROM (SELECT DISTINCT ON (case_id) amount_minor FROM ledger
                   WHERE kind IN ('at_risk', 'at_risk_changed') ORDER BY case_id, id DESC) last"""
            )
        ).scalar_one()
    assert last_words == 4900


def test_a_part_payment_is_recovered_and_only_the_rest_is_lost(life: Life) -> None:
    case = life.fail("parts", minor=10000, at=MONDAY)
    life.pay_part(case, 7000)

    found = figures(asked(life), View.COHORT, "2026-09")
    assert [found[name] for name in ("at_risk_minor", "recovered_minor", "open_minor")] == [10000, 7000, 3000]
    assert found["rate_by_value"] == Rate(part=7000, whole=10000)

    life.owe(case, 2500)  # the merchant credits the customer something
    life.refresh(case)
    life.tell(case, facts.InvoiceWrittenOff(obligation_id="parts", at=life.at))
    later = asked(life)
    cohort = figures(later, View.COHORT, "2026-09")
    assert [cohort[name] for name in ("at_risk_minor", "recovered_minor", "lost_minor")] == [9500, 7000, 2500]
    assert figures(later, View.CASH, "2026-09")["lost_minor"] == 2500


@pytest.mark.parametrize("rest", ["lost", "paid"])
def test_a_credit_that_is_first_seen_together_with_money_is_at_risk_no_more(life: Life, rest: str) -> None:
    case = life.fail("credited", minor=5000, at=MONDAY)
    life.owe(case, 4500)  # the merchant credits something; no event tells
    life.pay_part(case, 1000)
    if rest == "paid":
        life.owe(case, 3300)  # and again
        life.pay_rest(case)
    else:
        life.tell(case, facts.InvoiceWrittenOff(obligation_id="credited", at=life.at))
    cohort = figures(asked(life), View.COHORT, "2026-09")
    names = ("at_risk_minor", "recovered_minor", "lost_minor", "open_minor", "withdrawn_minor")
    expected = [4300, 4300, 0, 0, 0] if rest == "paid" else [4500, 1000, 3500, 0, 0]
    assert [cohort[name] for name in names] == expected
    assert figures(asked(life), View.CASH, "2026-09")["lost_minor"] == cohort["lost_minor"]


def test_months_begin_in_the_zone_that_is_asked_for(life: Life) -> None:
    new_year_in_berlin = datetime(2026, 9, 30, 22, 30, tzinfo=UTC)
    life.fail("edge", at=new_year_in_berlin)
    assert figures(asked(life), View.COHORT, "2026-09")["cases"] == 1
    assert figures(asked(life, zone="Europe/Berlin"), View.COHORT, "2026-10")["cases"] == 1
    assert asked(life, month="2026-09", zone="Europe/Berlin").tables[0].rows == ()


def test_currencies_are_never_added_up(life: Life) -> None:
    life.attempt(life.fail("dollars", minor=1000, currency="usd", at=MONDAY))
    life.attempt(life.fail("yen", minor=1000, currency="jpy", at=MONDAY))
    life.fail("dinars", minor=1000, currency="kwd", at=MONDAY + timedelta(days=30))
    life.fail("more dollars", minor=50, currency="usd", at=MONDAY + timedelta(days=30))
    found = asked(life)
    table = next(table for table in found.tables if table.name == View.COHORT)
    keys = [(row.currency, row.key) for row in table.rows]
    assert keys == [("jpy", "2026-09"), ("kwd", "2026-10"), ("usd", "2026-09"), ("usd", "2026-10"), ("usd", TOTAL)]
    assert figures(found, View.COHORT, TOTAL)["at_risk_minor"] == 1050
    assert figures(found, View.SOURCE, "silent_retry", "jpy")["recovered_minor"] == 1000


def test_the_reason_is_that_of_the_failure_which_opened_the_case(life: Life) -> None:
    case = life.fail("changed", minor=1000, at=MONDAY, code="insufficient_funds")
    life.attempt(case, life.declined("do_not_honor"))
    found = asked(life)
    assert figures(found, View.REASON, "insufficient_funds")["cases"] == 1
    assert figures(found, View.CLASS, "careful")["at_risk_minor"] == 1000


def test_attempts_by_number_count_the_open_one_and_tie_out_with_the_money(life: Life) -> None:
    first = life.fail("one", minor=1000, at=MONDAY)
    life.attempt(first, life.declined())
    life.attempt(first)
    life.attempt(life.fail("two", minor=500, at=MONDAY))
    found = asked(life)
    once, twice = figures(found, View.ATTEMPT, "1"), figures(found, View.ATTEMPT, "2")
    assert (once["attempts"], once["succeeded"], once["recovered_minor"]) == (2, 1, 500)
    assert (twice["attempts"], twice["success_rate"], twice["recovered_minor"]) == (1, Rate(part=1, whole=1), 1000)


def test_every_table_of_one_report_adds_up_to_the_same_money(life: Life) -> None:
    for number in range(12):
        case = life.fail(f"in{number}", minor=1000 + number, at=MONDAY + timedelta(days=number * 3))
        if number % 3 == 0:
            life.attempt(case)
        elif number % 3 == 1:
            life.pay(case)
    found = asked(life)
    sums = {
        table.name: sum(int(str(row.figures["recovered_minor"])) for row in table.rows if row.key != TOTAL)
        for table in found.tables
        if table.name
        not in (
            View.ATTEMPT,
            View.HOURS,
            View.RESTATED,
            View.CHURN,
            View.CONVERTED,
            View.PROOF,
            View.RENEWALS,
            View.PENALTIES,
        )
    }
    with life.wiring.database.connect() as tx:
        booked = tx.execute(text("SELECT sum(amount_minor) FROM ledger WHERE kind = 'recovered'")).scalar_one()
    assert set(sums.values()) == {int(booked)}
    assert sum(day.credited_minor + day.uncredited_minor for day in found.days) == booked
    assert sum(day.at_risk_minor for day in found.days) == sum(1000 + n for n in range(12))


@pytest.mark.parametrize("view", View)
def test_a_table_alone_is_the_same_as_among_others(life: Life, view: View) -> None:
    life.attempt(life.fail("won", minor=1000, at=MONDAY))
    life.pay(life.fail("paid", minor=30, at=MONDAY, code="do_not_honor"))
    life.fail("open", minor=3000, at=MONDAY + timedelta(days=30))
    close_month(life.wiring.database, Closing(month="2026-09", zone="UTC", closed_by="finance"), now=NOW)
    among = next(table for table in asked(life).tables if table.name == view)
    span = span_of(Asked(), now=NOW)
    networks = life.wiring.rulebook.networks
    alone = report(life.wiring.database, span, made_at=NOW, views=[view], with_days=False, networks=networks)
    assert alone.tables == (among,)
    assert among.rows != () or view in (
        View.CHURN,
        View.CONVERTED,
        View.PROOF,
        View.RENEWALS,
        View.PENALTIES,
    )  # nothing imported, no rates, no holdout, no limit passed
    assert alone.days == ()


def test_a_closed_month_is_compared_in_the_zone_it_was_closed_in(life: Life) -> None:
    """Moving the merchant's clock must not hide a restatement, nor look like one: of September in Los Angeles, of October in UTC."""
    life.pay(life.fail("late", minor=30, at=datetime(2026, 10, 1, 3, tzinfo=UTC)))
    close_month(life.wiring.database, Closing(month="2026-10", zone="UTC", closed_by="finance"), now=NOW)
    for zone, words in (
        ("UTC", "2026-10 net, by cash date"),
        ("America/Los_Angeles", "2026-10 net, by cash date in UTC"),
    ):
        span = span_of(Asked(month="2026-10", zone=zone), now=NOW)
        found = report(life.wiring.database, span, made_at=NOW, views=[View.RESTATED], with_days=False)
        rows = {row.key: row.figures for row in found.tables[0].rows}
        assert rows[words] == {"first_minor": 30, "now_minor": 30, "restated_minor": 0}


def test_a_month_begins_with_its_first_midnight(life: Life) -> None:
    """In Havana the clocks go back to midnight as November 2026 begins: the first of both hours is November's already."""
    for at in (datetime(2026, 10, 9, tzinfo=UTC), datetime(2026, 11, 1, 4, 30, tzinfo=UTC), MONDAY.replace(month=11)):
        life.fail(f"{at:%m %H}", minor=30, at=at)
    span = span_of(Asked(first="2026-10-01", last="2026-11-30", zone="America/Havana"), now=NOW)

    def failed() -> list[dict[str, Figure]]:
        found = report(life.wiring.database, span, made_at=NOW, views=[View.COHORT, View.CASH], with_days=False)
        return [{row.key: row.figures["at_risk_minor"] for row in table.rows} for table in found.tables]

    told = failed()
    assert told == [{"2026-10": 30, "2026-11": 60, TOTAL: 90}] * 2
    while roll_up(life.wiring.database, machine_now=machine_now(), limit=100, zone="America/Havana"):
        pass
    assert failed() == told


def test_what_changes_while_books_are_kept_waits_for_the_next_ring(life: Life) -> None:
    """Each round also makes a hundred old lines anew: begun again for every case that changed meanwhile, it would never end."""

    def marked() -> int:
        with life.wiring.database.connect() as tx:
            return int(tx.execute(text("SELECT count(*) FROM report_stale")).scalar_one())

    life.fail("first", minor=1000, at=MONDAY)
    while life.wiring.keep_books():
        pass
    life.fail("second", minor=1000, at=MONDAY)
    assert marked()
    assert not life.wiring.keep_books()
    assert not marked(), "it was rolled up all the same"


def test_exports_hold_every_figure_with_its_definition(life: Life) -> None:
    life.attempt(life.fail("won", minor=1000, at=MONDAY))
    life.fail("open", minor=3000, at=MONDAY)
    found = asked(life, month="2026-09")
    values = json.loads(as_json(found))
    cohort = values["tables"]["cohort"]
    assert cohort["rows"][0]["rate_by_value"] == {"rate": "0.2500", "part": 1000, "whole": 4000}
    assert set(cohort["figures"]) == set(cohort["rows"][0]) - {"key", "currency"}
    lines = list(csv.DictReader(io.StringIO(as_csv(found))))
    gross = next(line for line in lines if (line["table"], line["figure"]) == ("cohort", "recovered_minor"))
    assert (gross["value"], gross["currency"], bool(gross["definition"])) == ("1000", "usd", True)
    assert len(lines) == sum(len(table.rows) * len(table.columns) for table in found.tables)


def test_a_code_from_outside_is_no_formula_in_a_spreadsheet(life: Life) -> None:
    life.fail("odd", at=MONDAY, code='=HYPERLINK("x")')
    keys = {line["key"] for line in csv.DictReader(io.StringIO(as_csv(asked(life))))}
    assert '\'=HYPERLINK("x")' in keys


def test_the_chart_is_plain_svg_that_loads_nothing(life: Life) -> None:
    life.attempt(life.fail("won", minor=1000, at=MONDAY))
    life.fail("open", minor=2000, currency="jpy", at=MONDAY)
    drawn = chart(asked(life))
    root = ElementTree.fromstring(drawn)
    assert root.get("role") == "img"
    assert not any("style" in element.attrib or element.tag.endswith(("style", "script")) for element in root.iter())
    assert set(re.findall(r'(?:href|src)="([^"]*)"', drawn)) <= set(re.findall(r'href="(#[^"]*)"', drawn))
    assert "At risk" in drawn
    assert "JPY" in drawn
    assert drawn == chart(asked(life))
    for currency in ("eur", "kwd"):
        life.fail(currency, minor=3000, currency=currency, at=MONDAY)
    assert uncharted(asked(life)) == ["kwd"], "said where there is no room for it"


def test_the_charts_last_date_is_not_cut(life: Life) -> None:
    life.fail("open", at=MONDAY)
    root = ElementTree.fromstring(chart(asked(life)))
    dated = [element.get("text-anchor") for element in root.iter() if (element.text or "").endswith(" 2026")]
    assert dated == ["start", "middle", "end"]


def test_nothing_failed_gives_an_empty_report(life: Life) -> None:
    found = asked(life)
    assert all(table.rows == () for table in found.tables)
    assert "<svg" in chart(found)
    assert found.days == ()
    assert json.loads(as_json(found))["tables"]["cohort"]["rows"] == []


@pytest.mark.parametrize(
    ("period", "days"),
    [
        ({"month": "2026-02"}, ("2026-02-01", "2026-02-28")),
        ({"month": "2026-12", "zone": "Asia/Tokyo"}, ("2026-12-01", "2026-12-31")),
        ({"first": "2026-03-28", "last": "2026-03-29", "zone": "Europe/Berlin"}, ("2026-03-28", "2026-03-29")),
        ({}, ("2026-01-01", "2026-12-31")),
        ({"last": "2026-06-30"}, ("2025-07-01", "2026-06-30")),
    ],
)
def test_periods(period: dict[str, Any], days: tuple[str, str]) -> None:
    span = span_of(Asked(**period), now=NOW)
    assert tuple(day.isoformat() for day in first_and_last_day(span)) == days


@pytest.mark.parametrize(
    "period",
    [
        {"month": "2026-13"},
        {"month": "26-1"},
        {"month": "2026-10\n"},
        {"first": "yesterday"},
        {"first": "2026-10-02", "last": "2026-10-01"},
        {"month": "2026-10", "first": "2026-10-01"},
        {"zone": "Mars/Olympus"},
        {"zone": "../../etc/passwd"},
        {"zone": ""},
        {"last": "9999-12-31"},
    ],
)
def test_periods_that_do_not_exist_are_refused_with_a_hint(period: dict[str, Any]) -> None:
    with pytest.raises(PeriodInvalid, match=r"write one like|not both|lies after"):
        span_of(Asked(**period), now=NOW)


def test_the_states_of_the_lifecycle_are_all_in_the_report() -> None:
    """A new state would silently fall out of the cases' sum."""
    assert set(State) == {"silent", "dunning", "review", "recovered", "lost", "withdrawn"}
