"""Judges a demo from outside: the sandbox's own ledger against what the engine booked. Without it the demo could only boast."""

from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from recovery.cases.lifecycle import EntryKind
from recovery.reporting.period import Asked, span_of
from recovery.reporting.report import View, report
from recovery.reporting.table import TOTAL, Figure, Row
from recovery.runtime.demo.catcher import Caught
from recovery.storage import outcome_queries as queries
from recovery.storage.backlog_queries import orphans
from recovery.storage.event_store import event_counts

_REVERSALS: dict[str, EntryKind] = {
    "refund": EntryKind.REFUNDED,
    "refund_failed": EntryKind.REFUND_FAILED,
    "dispute_opened": EntryKind.DISPUTE_OPENED,
    "dispute_won": EntryKind.DISPUTE_WON,
    "dispute_lost": EntryKind.DISPUTE_LOST,
}


def outcome_of(
    database: Engine, sandbox_ledger: dict[str, Any], caught: Caught, *, first: datetime, until: datetime
) -> dict[str, Any]:
    """Cases by state, the report, money by currency and source, attempts, emails, the sandbox's totals, and the checks."""
    reported = report_figures(database, first=first, until=until)
    with database.connect() as tx:
        money: dict[str, dict[str, int]] = {}
        for currency, kind, source, minor in queries.money_by_kind(tx):
            money.setdefault(currency, {})[f"{kind}:{source}" if source else kind] = minor
        found = {
            "cases": queries.counts_by(tx, "cases"),
            "report": reported,
            "money": money,
            "attempts": queries.counts_by(tx, "attempts"),
            "emails": queries.counts_by(tx, "emails") | {"caught": len(caught.emails)},
            "sandbox": {
                "totals": sandbox_ledger["totals"],
                "charges": len(sandbox_ledger["charges"]),
                "charged_twice": sandbox_ledger["charged_twice"],
            },
        }
        booked = queries.booked(tx)
        failed_at = queries.obligations(tx)
        emails = queries.email_ids(tx)
        checks = {
            "every open case has a wake-up": orphans(tx) == 0,
            "no attempt is left unsettled": queries.unsettled_attempts(tx) == 0,
            "no event waits or was set aside": sum(event_counts(tx).values()) == 0,
            "no email before exhaustion": not queries.early_emails(tx),
        }
    checks |= {
        "no obligation was charged twice": not sandbox_ledger["charged_twice"],
        "every failed obligation has its case": _failed_obligations(sandbox_ledger) == set(failed_at),
        "recovered equals the sandbox's charges": _recovered(booked) == _charged(sandbox_ledger, failed_at),
        "the report equals the sandbox's ledger to the cent": _reported(reported)
        == _summed(sandbox_ledger, failed_at, booked),
        "refunds and disputes equal the sandbox's": _reversed(booked) == _given_back(sandbox_ledger, booked),
        "every email left once": _left_once(caught, emails),
    }
    return found | {"checks": checks, "ok": all(checks.values())}


def report_figures(database: Engine, *, first: datetime, until: datetime) -> dict[str, dict[str, int]]:
    """What finance would read over the whole demo: the report's own figures by currency, all months together."""
    asked = Asked(first=f"{first:%Y-%m-%d}", last=f"{until:%Y-%m-%d}")
    found = report(database, span_of(asked, now=until), made_at=until, views=(View.COHORT,), with_days=False)
    (table,) = found.tables
    months: dict[str, list[Row]] = {}
    for row in table.rows:
        if row.key != TOTAL:
            months.setdefault(row.currency, []).append(row)
    return {
        currency: {name: sum(_whole(row.figures[name]) for row in rows) for name in _REPORTED}
        for currency, rows in months.items()
    }


_REPORTED = ("at_risk_minor", "recovered_minor", "credited_minor", "refunded_minor", "disputed_minor", "cases")


def _whole(figure: Figure) -> int:
    assert isinstance(figure, int), f"{figure!r} is no sum"
    return figure


def _reported(figures: dict[str, dict[str, int]]) -> dict[str, tuple[int, int, int]]:
    """Recovered, refunded and lost to disputes by currency, where there is any."""
    found = {
        currency: (row["recovered_minor"], row["refunded_minor"], row["disputed_minor"])
        for currency, row in figures.items()
    }
    return {currency: sums for currency, sums in found.items() if any(sums)}


def _summed(
    ledger: dict[str, Any], failed_at: dict[str, datetime], booked: list[queries.Booked]
) -> dict[str, tuple[int, int, int]]:
    """The same sums straight from the sandbox's book. An open dispute holds its money back like a lost one."""
    sums: dict[str, list[int]] = {}
    for (_, _, minor, currency), times in _charged(ledger, failed_at).items():
        sums.setdefault(currency, [0, 0, 0])[0] += minor * times
    back = {EntryKind.REFUNDED: (1, 1), EntryKind.DISPUTE_OPENED: (2, 1), EntryKind.DISPUTE_WON: (2, -1)}
    for (kind, _, minor, currency), times in _given_back(ledger, booked).items():
        place, sign = back.get(EntryKind(kind), (2, 0))
        sums.setdefault(currency, [0, 0, 0])[place] += sign * minor * times
    return {currency: (a, b, c) for currency, (a, b, c) in sums.items() if a or b or c}


def _failed_obligations(ledger: dict[str, Any]) -> set[str]:
    first = {charge["invoice"] for charge in ledger["charges"] if charge["outcome"] in ("declined", "blocked")}
    return {invoice for invoice in first if invoice}


def _charged(ledger: dict[str, Any], failed_at: dict[str, datetime]) -> Counter[tuple[str, str, int, str]]:
    """Every charge that brought money for an obligation after it had failed."""
    return Counter(
        (charge["invoice"], charge["charge"], charge["amount_minor"], charge["currency"])
        for charge in ledger["charges"]
        if charge["outcome"] == "succeeded"
        and charge["invoice"] in failed_at
        and datetime.fromisoformat(charge["at"]) >= failed_at[charge["invoice"]]
    )


def _recovered(booked: list[queries.Booked]) -> Counter[tuple[str, str, int, str]]:
    return Counter(
        (entry.obligation, entry.charge_id or "", entry.amount_minor, entry.currency)
        for entry in booked
        if entry.kind == EntryKind.RECOVERED
    )


def _reversed(booked: list[queries.Booked]) -> Counter[tuple[str, str, int, str]]:
    kinds = set(_REVERSALS.values())
    return Counter((e.kind, e.ref, e.amount_minor, e.currency) for e in booked if e.kind in kinds)


def _given_back(ledger: dict[str, Any], booked: list[queries.Booked]) -> Counter[tuple[str, str, int, str]]:
    recovered = {entry.charge_id for entry in booked if entry.kind == EntryKind.RECOVERED}
    moves = [move for move in (*ledger["refunds"], *ledger["disputes"]) if move["charge"] in recovered]
    return Counter((str(_REVERSALS[m["kind"]]), m["id"], m["amount_minor"], m["currency"]) for m in moves)


def _left_once(caught: Caught, emails: list[tuple[str, str]]) -> bool:
    """Each email caught is known as sent or ambiguous, and none was caught twice."""
    arrived = Counter(message_id.strip("<>").partition("@")[0] for message_id in caught.message_ids())
    gone = {email_id for email_id, status in emails if status in ("sent", "ambiguous")}
    sent = {email_id for email_id, status in emails if status == "sent"}
    return set(arrived) <= gone and sent <= set(arrived) and all(times == 1 for times in arrived.values())
