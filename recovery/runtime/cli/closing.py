"""The command that closes a month. Without it what finance signed could change the next day and nobody would see it."""

import getpass
from typing import Annotated

import typer

from recovery.reporting.closing import Closing, close_month
from recovery.reporting.table import amount
from recovery.runtime.cli.output import said, said_json
from recovery.runtime.cli.session import command_stack
from recovery.runtime.clock import clock_from


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("close-month")(close_month_command)


def close_month_command(
    month: Annotated[str, typer.Argument(help="A month that is over, like 2026-10.")],
    by: Annotated[str | None, typer.Option(help="Who signs; the user of this terminal unless given.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the first figures as JSON.")] = False,
) -> None:
    """Keep a month's figures as they are now. What is booked into it later is shown beside them as a restatement."""
    with command_stack() as stack:
        now = clock_from(stack.wiring.settings.clock_file).now()
        closing = Closing(month=month, zone=stack.wiring.settings.report_zone, closed_by=by or getpass.getuser())
        closed = close_month(stack.wiring.database, closing, now=now)
    if json:
        said_json(
            {"month": closed.month, "zone": closed.zone, "closed_by": closed.closed_by, "figures": closed.figures}
        )
        return
    said(f"{closed.month} ({closed.zone}) is closed by {closed.closed_by}, up to ledger entry {closed.last_entry}")
    for currency, sums in closed.figures["cash"].items():
        said(f"  net recovered, by cash date: {amount(sums['net_minor'], currency)} {currency.upper()}")
