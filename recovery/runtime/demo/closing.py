"""The demo's last words: what was won back, by currency and source, and whether every check held."""

from typing import Any

from babel.numbers import format_currency
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from recovery.cases.lifecycle import CREDITED, EntryKind, Source
from recovery.money import Money
from recovery.storage import outcome_queries as queries


def closing_report(console: Console, outcome: dict[str, Any], database: Engine, *, seconds: float) -> None:
    """Print the recovered-revenue report of the whole demo and the checks."""
    with database.connect() as tx:
        money = queries.money_by_kind(tx)
    table = Table(title="Recovered revenue, all days", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for title in ("currency", "at risk", "by us", "unaided", "returned", "rate by value"):
        table.add_column(title, justify="left" if title == "currency" else "right")
    for currency in sorted({row[0] for row in money}):
        table.add_row(currency.upper(), *_figures(money, currency))
    console.print()
    console.print(table)
    console.print("by us: silent retries, refreshed cards, and customers who paid after our email.", style="dim")
    console.print("unaided: customers who paid unasked, the gateway's own retries. Rate: by us / at risk.", style="dim")
    cases = ", ".join(f"{count} {state}" for state, count in sorted(outcome["cases"].items()))
    console.print(f"cases: {cases}; emails sent: {outcome['emails'].get('sent', 0)}; {seconds:.0f} seconds")
    for check, held in outcome["checks"].items():
        console.print(f"[{'green' if held else 'bold red'}]{'✓' if held else '✗'}[/] {check}")


def _figures(money: list[tuple[str, str, str | None, int]], currency: str) -> list[str]:
    mine = [row for row in money if row[0] == currency]
    at_risk = sum(minor for _, kind, _, minor in mine if kind == EntryKind.AT_RISK)
    recovered = [(source, minor) for _, kind, source, minor in mine if kind == EntryKind.RECOVERED]
    credited = sum(minor for source, minor in recovered if source and Source(source) in CREDITED)
    unaided = sum(minor for _, minor in recovered) - credited
    returned = sum(minor for _, kind, _, minor in mine if kind in (EntryKind.REFUNDED, EntryKind.DISPUTE_LOST))
    shown = [
        format_currency(Money(minor=minor, currency=currency).major(), currency.upper(), locale="en_US")
        for minor in (at_risk, credited, unaided, returned)
    ]
    return [*shown, f"{credited / at_risk:.1%}" if at_risk else "–"]
