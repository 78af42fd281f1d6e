"""The demo's last words: the report's own figures by currency, and whether every check held."""

from typing import Any

from rich.console import Console
from rich.table import Table

from recovery.reporting.table import amount


def closing_report(console: Console, outcome: dict[str, Any], *, seconds: float) -> None:
    """Print the recovered-revenue report of the whole demo and the checks."""
    table = Table(title="Recovered revenue, all days", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for title in ("currency", "cases", "at risk", "by us", "unaided", "returned", "by us / at risk"):
        table.add_column(title, justify="left" if title == "currency" else "right")
    for currency, row in sorted(outcome["report"].items()):
        table.add_row(currency.upper(), *_figures(row, currency))
    console.print()
    console.print(table)
    console.print("by us: silent retries, refreshed cards, and customers who paid after our email.", style="dim")
    console.print("unaided: customers who paid unasked and the gateway's own retries.", style="dim")
    console.print("returned: refunds, and disputes not won.", style="dim")
    cases = ", ".join(f"{count} {state}" for state, count in sorted(outcome["cases"].items()))
    console.print(f"cases: {cases}; emails sent: {outcome['emails'].get('sent', 0)}; {seconds:.0f} seconds")
    for check, held in outcome["checks"].items():
        console.print(f"[{'green' if held else 'bold red'}]{'✓' if held else '✗'}[/] {check}")


def _figures(row: dict[str, int], currency: str) -> list[str]:
    at_risk, credited = row["at_risk_minor"], row["credited_minor"]
    unaided = row["recovered_minor"] - credited
    returned = row["refunded_minor"] + row["disputed_minor"]
    share = f"{credited / at_risk:.1%}" if at_risk else "–"
    return [str(row["cases"]), *(amount(minor, currency) for minor in (at_risk, credited, unaided, returned)), share]
