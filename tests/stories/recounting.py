"""The report's figures worked out from the sandbox's own book alone. Without it the report would be compared with its own queries.

Nothing here reads the product's database; exports are read back with parsers of their own.
"""

import csv
import io
import json
import re
import zipfile
from collections import Counter
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

from recovery.money import exponent
from recovery.reporting.export import as_csv, as_json
from recovery.reporting.report import Report, View
from recovery.reporting.table import Figure, Kind, Mean, Points, Rate, Table
from recovery.reporting.workbook import as_xlsx
from recovery.runtime.web.render import page_of
from recovery.runtime.web.report_view import report_values
from recovery.simulation.sandbox import Sandbox

Sums = dict[tuple[str, str], Counter[str]]

SIGN = {"refund": 1, "refund_failed": -1, "dispute_opened": 1, "dispute_won": -1, "dispute_lost": 0}
A_MONTH = {"month": Decimal(1), "year": 1 / Decimal(12)}


class Book:
    """The sandbox's ledger, balance and objects, by months of a zone."""

    def __init__(self, sandbox: Sandbox, zone: str) -> None:
        self.ledger, self.store, self.zone = sandbox.ledger, sandbox.core.store, ZoneInfo(zone)
        self.first: dict[str, Any] = {}
        for entry in self.ledger.entries:
            if entry.outcome == "declined":
                self.first.setdefault(entry.invoice, entry)
        self.paid = {one.charge: one for one in self.ledger.succeeded() if one.invoice in self.first}

    def month(self, at: datetime | int) -> str:
        """The month of an instant."""
        there = datetime.fromtimestamp(at, tz=UTC) if isinstance(at, int) else at
        return f"{there.astimezone(self.zone):%Y-%m}"

    def begins(self, month: str) -> int:
        """Its first second."""
        return int(datetime.fromisoformat(f"{month}-01").replace(tzinfo=self.zone).timestamp())

    def ends(self, month: str) -> int:
        """The first second of the next."""
        year, number = int(month[:4]), int(month[5:])
        return self.begins(f"{year + number // 12}-{number % 12 + 1:02}")

    def fees(self) -> list[tuple[str, dict[str, Any]]]:
        """The invoice and line of each fee kept for what paid a failed invoice, or for a dispute of it."""
        disputed = {one["id"]: one["charge"] for one in self.store.newest("dispute")}
        lines = [(disputed.get(one["source"], one["source"]), one) for one in self.store.newest("balance_transaction")]
        return [(self.paid[charge].invoice, line) for charge, line in lines if charge in self.paid]

    def state(self, invoice: str) -> str:
        """How an invoice that failed stands."""
        found = self.store.get("invoice", invoice)
        ended = {"paid": "recovered", "uncollectible": "lost", "void": "withdrawn"}.get(found["status"])
        return ended or ("withdrawn" if self.sold(invoice)["status"] == "canceled" else "open")

    def sold(self, invoice: str) -> Any:
        """The subscription of an invoice."""
        parent = self.store.get("invoice", invoice)["parent"]
        return self.store.get("subscription", parent["subscription_details"]["subscription"])


def cohort_sums(book: Book) -> Sums:
    """By month of the failure: how each invoice stands, what it brought whenever it came, and what went back."""
    found: Sums = {}
    for invoice, failure in book.first.items():
        sums = found.setdefault((book.month(failure.at), failure.currency), Counter())
        state, mine = book.state(invoice), [one for one in book.paid.values() if one.invoice == invoice]
        recovered = sum(one.amount_minor for one in mine)
        sums.update(cases=1, at_risk_minor=failure.amount_minor, recovered_minor=recovered)
        sums[f"{state}_cases"] += 1
        if state != "recovered":
            sums[f"{state}_minor"] += failure.amount_minor - recovered
            continue
        sums["monthly_minor"] += _a_month(failure.amount_minor, book.sold(invoice))
        sums["recovery_seconds"] += int((mine[0].at - failure.at).total_seconds())
        if mine[0].initiator == "engine":
            sums.update(credited_cases=1, unwritten_cases=1, credited_minor=recovered)
    for move in book.ledger.movements:
        if (paid := book.paid.get(move.charge)) is not None:
            failure = book.first[paid.invoice]
            name = "refunded_minor" if move.kind.startswith("refund") else "disputed_minor"
            found[book.month(failure.at), paid.currency][name] += SIGN[move.kind] * move.amount_minor
    for invoice, line in book.fees():
        found[book.month(book.first[invoice].at), line["currency"]]["fee_minor"] += line["fee"]
    for sums in found.values():
        sums["net_minor"] = (
            sums["recovered_minor"] - sums["refunded_minor"] - sums["disputed_minor"] - sums["fee_minor"]
        )
    return found


def cash_sums(book: Book) -> Sums:
    """By month of what happened."""
    found: Sums = {}

    def add(at: datetime | int, currency: str, **sums: int) -> None:
        found.setdefault((book.month(at), currency), Counter()).update(sums)

    for failure in book.first.values():
        add(failure.at, failure.currency, failed_cases=1, at_risk_minor=failure.amount_minor)
    for paid in book.paid.values():
        ours = paid.amount_minor if paid.initiator == "engine" else 0
        add(paid.at, paid.currency, recovered_cases=1, recovered_minor=paid.amount_minor, credited_minor=ours)
    for move in book.ledger.movements:
        if move.charge in book.paid:
            name = "refunded_minor" if move.kind.startswith("refund") else "disputed_minor"
            add(move.at, move.currency, **{name: SIGN[move.kind] * move.amount_minor})
    for _, line in book.fees():
        add(line["created"], line["currency"], fee_minor=line["fee"])
    for invoice, failure in book.first.items():
        turned = book.store.get("invoice", invoice)["status_transitions"]
        state, minor = book.state(invoice), failure.amount_minor
        if state == "lost":
            add(turned["marked_uncollectible_at"], failure.currency, lost_minor=minor)
        elif state == "withdrawn":
            add(turned["voided_at"] or book.sold(invoice)["ended_at"], failure.currency, withdrawn_minor=minor)
    for sums in found.values():
        sums["net_minor"] = (
            sums["recovered_minor"] - sums["refunded_minor"] - sums["disputed_minor"] - sums["fee_minor"]
        )
    return found


def churn_sums(book: Book, before: dict[str, dict[str, int]]) -> dict[tuple[str, str], dict[str, Figure]]:
    """By month and contract, and currency; ``before`` are the prices that some subscriptions had as a month began."""
    found: dict[tuple[str, str], dict[str, Figure]] = {}
    everyone = list(book.store.newest("subscription"))
    months = sorted({book.month(one["created"]) for one in everyone} | {"2026-11", "2026-12"})
    for month in months:
        begins, ends = book.begins(month), book.ends(month)
        had = [one for one in everyone if one["start_date"] < begins and (one["ended_at"] or begins) >= begins]
        for interval, currency in sorted({(_interval(one), one["currency"]) for one in had}):
            mine = [one for one in had if (_interval(one), one["currency"]) == (interval, currency)]
            found[f"{month} {interval}", currency] = _churned(book, mine, month, ends, before.get(month, {}))
    return found


def _churned(book: Book, mine: list[Any], month: str, ends: int, before: dict[str, int]) -> dict[str, Figure]:
    """Each customer of these has one subscription."""
    now = {one["id"]: _a_month(_price(one), one) for one in mine}
    prices = {one["id"]: _a_month(before.get(one["id"], _price(one)), one) for one in mine}
    left = [one["id"] for one in mine if one["ended_at"] and one["ended_at"] < ends]
    unwilling = {one["id"] for one in mine if (one["cancellation_details"] or {}).get("reason") == "payment_failed"}
    ill = [name for name in left if name in unwilling]
    names = {one["id"] for one in mine}
    failed = [
        one for one in book.first.values() if book.month(one.at) == month and book.sold(one.invoice)["id"] in names
    ]
    wins = [one for one in book.paid.values() if one.initiator == "engine"]
    saved = [one for one in failed if any(paid.invoice == one.invoice for paid in wins)]
    change = {name: prices[name] - now[name] for name in names if name not in left}
    money, gone = sum(prices.values()), sum(prices[name] for name in left)
    gone_ill, changed = sum(prices[name] for name in ill), sum(change.values())
    return {
        "customers": len(mine),
        "customer_churn": Rate(part=len(left), whole=len(mine)),
        "voluntary_churn": Rate(part=len(left) - len(ill), whole=len(mine)),
        "involuntary_churn": Rate(part=len(ill), whole=len(mine)),
        "involuntary_without": Rate(part=len(ill) + len({one.customer for one in saved}), whole=len(mine)),
        "involuntary_measured": Rate(part=0, whole=0),
        "monthly_minor": money,
        "left_minor": gone,
        "involuntary_minor": gone_ill,
        "revenue_churn": Rate(part=gone, whole=money),
        "revenue_voluntary": Rate(part=gone - gone_ill, whole=money),
        "revenue_involuntary": Rate(part=gone_ill, whole=money),
        "contraction_minor": sum(one for one in change.values() if one > 0),
        "expansion_minor": -sum(one for one in change.values() if one < 0),
        "net_revenue_churn": Rate(part=gone + changed, whole=money),
        "net_voluntary": Rate(part=gone - gone_ill + changed, whole=money),
        "saved_minor": sum(_a_month(one.amount_minor, book.sold(one.invoice)) for one in saved),
    }


def renewal_sums(book: Book) -> dict[tuple[str, str], dict[str, Figure]]:
    """By month of the invoice: what was asked for, what of it failed, what is not paid; voided ones left out."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for one in book.store.newest("invoice"):
        if one["status"] in ("draft", "void") or not one["amount_due"]:
            continue
        sums = found.setdefault((book.month(one["created"]), one["currency"]), Counter())
        sums.update(invoices=1, billed=one["amount_due"])
        if one["id"] in book.first:
            sums.update(failed=1, failed_minor=one["amount_due"])
        if one["status"] != "paid":
            sums.update(unpaid=1, unpaid_minor=one["amount_due"])
    return {
        key: {
            "invoices": sums["invoices"],
            "failed_share": Rate(part=sums["failed"], whole=sums["invoices"]),
            "unpaid_share": Rate(part=sums["unpaid"], whole=sums["invoices"]),
            "billed_minor": sums["billed"],
            "failed_value": Rate(part=sums["failed_minor"], whole=sums["billed"]),
            "unpaid_value": Rate(part=sums["unpaid_minor"], whole=sums["billed"]),
        }
        for key, sums in found.items()
    }


def penalty_sums(book: Book) -> dict[tuple[str, str], dict[str, Figure]]:
    """Two cents for each of our tries that Mastercard answered with an advice of 24 to 30."""
    count = 0
    for one in book.ledger.entries:
        if one.initiator == "engine" and one.outcome == "declined":
            charge = book.store.get("charge", one.charge)
            advice = (charge["outcome"] or {}).get("network_advice_code") or ""
            mastercard = charge["payment_method_details"]["card"]["brand"] == "mastercard"
            count += mastercard and advice.isdigit() and 24 <= int(advice) <= 30
    return {("mastercard: advice to wait", "usd"): {"attempts": count, "estimated_minor": 2 * count}} if count else {}


def exports_hold(found: Report) -> None:
    """Every figure of every table stands in CSV, JSON, workbook and page as it is in the report."""
    lines = list(csv.DictReader(io.StringIO(as_csv(found))))
    values = json.loads(as_json(found))["tables"]
    texts = _page(page_of("report_file.html", report_values(found)))
    with zipfile.ZipFile(io.BytesIO(as_xlsx(found))) as book:
        sheets = [_sheet(book, number + 1) for number in range(len(found.tables))]
    place = iter(lines)
    for table, sheet in zip(found.tables, sheets, strict=True):
        shown = iter(texts.get(table.name, ()))
        for number, row in enumerate(table.rows):
            for column in table.columns:
                figure, line = row.figures[column.name], next(place)
                assert (line["table"], line["figure"], line["currency"]) == (table.name, column.name, row.currency)
                assert line["value"] == _written(figure), (table.name, row.key, column.name)
                if isinstance(figure, Rate | Mean):
                    assert line["denominator"] == str(figure.whole if isinstance(figure, Rate) else figure.cases)
                told = values[table.name]["rows"][number][column.name]
                assert told == _as_json(figure), (table.name, row.key, column.name)
            assert sheet[number + 1][2:] == _numbers(table, number), (table.name, row.key)
        if table.name != View.HOURS:  # a picture there
            wanted = [_printed(row.figures[c.name], c.kind, row.currency) for row, c in _printed_order(table)]
            assert list(shown) == wanted, table.name
    assert next(place, None) is None


def _printed_order(table: Table) -> list[tuple[Any, Any]]:
    return [(row, column) for group in table.groups for row in table.rows for column in table.of_group(group)]


def _printed(figure: Figure, kind: Kind, currency: str) -> str:
    def money(minor: int) -> str:
        return f"{Decimal(minor).scaleb(-exponent(currency)):,f}"

    if isinstance(figure, Rate):
        share = (
            "–"
            if not figure.whole
            else f"{(Decimal(figure.part) / figure.whole).quantize(Decimal('0.0001'), ROUND_HALF_UP) * 100:.1f} %"
        )
        whole = money(figure.whole) if kind is Kind.RATE_OF_MONEY else f"{figure.whole:,}"
        return share if not figure.whole else f"{share} of {whole}"
    if isinstance(figure, Mean):
        return "–" if not figure.cases else f"{figure.value:.1f} days of {figure.cases:,}"
    if isinstance(figure, int):
        return money(figure) if kind is Kind.MONEY else f"{figure:,}"
    return str(figure) if isinstance(figure, str) else "–"


def _written(figure: Figure) -> str:
    value = figure if isinstance(figure, int | str) else figure.value
    return "" if value is None else str(value)


def _as_json(figure: Figure) -> object:
    if isinstance(figure, Rate):
        return {"rate": _written(figure) or None, "part": figure.part, "whole": figure.whole}
    if isinstance(figure, Mean):
        return {"days": _written(figure) or None, "cases": figure.cases}
    return {"points": _written(figure) or None} if isinstance(figure, Points) else figure


def _numbers(table: Table, number: int) -> list[object]:
    """One row as the workbook has it: money in main units, a share with its denominator behind it."""
    row, found = table.rows[number], list[object]()
    scale = Decimal(1).scaleb(-exponent(row.currency))
    for column in table.columns:
        figure = row.figures[column.name]
        if isinstance(figure, Rate):
            whole = float(figure.whole * scale) if column.kind is Kind.RATE_OF_MONEY else float(figure.whole)
            found += [None if figure.value is None else float(figure.value), whole]
        elif isinstance(figure, Mean):
            found += [None if figure.value is None else float(figure.value), float(figure.cases)]
        elif isinstance(figure, Points):
            found.append(None if figure.value is None else float(figure.value))
        elif isinstance(figure, str):
            found.append(figure)
        else:
            found.append(float(figure * scale) if column.kind is Kind.MONEY else float(figure))
    while found and found[-1] is None:
        found.pop()
    return found


def _sheet(book: zipfile.ZipFile, number: int) -> list[list[object]]:
    """A sheet's rows; numbers as numbers, empty cells as None."""
    words = re.findall(r"<si><t[^>]*>(.*?)</t></si>", book.read("xl/sharedStrings.xml").decode(), re.DOTALL)
    rows = []
    for row in re.findall(r"<row [^>]*>(.*?)</row>", book.read(f"xl/worksheets/sheet{number}.xml").decode(), re.DOTALL):
        cells: dict[int, object] = {}
        for letters, kind, value in re.findall(r'<c r="([A-Z]+)\d+"(?: s="\d+")?(?: t="(\w+)")?><v>([^<]*)</v>', row):
            place = 0
            for letter in letters:
                place = place * 26 + ord(letter) - 64
            cells[place - 1] = words[int(value)] if kind == "s" else float(value)
        rows.append([cells.get(place) for place in range(max(cells, default=-1) + 1)])
    return rows


class _Cells(HTMLParser):
    """The figures of each section of the page, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}
        self._section, self._inside = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section":
            self._section = given.get("aria-labelledby") or ""
        if tag == "td" and given.get("data-label"):
            self._inside = True
            self.found.setdefault(self._section, []).append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[self._section][-1] += data


def _page(html: str) -> dict[str, list[str]]:
    reader = _Cells()
    reader.feed(html)
    return {name: [" ".join(text.split()) for text in texts] for name, texts in reader.found.items()}


def _interval(subscription: Any) -> str:
    return str(subscription["items"]["data"][0]["price"]["recurring"]["interval"])


def _price(subscription: Any) -> int:
    return int(subscription["items"]["data"][0]["price"]["unit_amount"])


def _a_month(minor: int, subscription: Any) -> int:
    return int((minor * A_MONTH[_interval(subscription)]).quantize(Decimal(1), ROUND_HALF_UP))
