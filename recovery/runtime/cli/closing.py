"""Comparing a month with the gateway, and closing it. Without it what finance signed could change the next day unseen."""

import getpass
from dataclasses import asdict
from typing import Annotated, Any

import typer

from recovery.reporting.closing import Closing, close_month, month_over
from recovery.reporting.period import Asked, span_of
from recovery.reporting.table import amount
from recovery.reporting.tie_out import TieOut, tie_out
from recovery.runtime.account import keep_account
from recovery.runtime.cli.explain import Refused
from recovery.runtime.cli.output import cells, console, grid, said, said_json
from recovery.runtime.cli.session import command_stack
from recovery.runtime.clock import clock_from
from recovery.runtime.stack import Stack
from recovery.storage.report_sums import Span

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("reconcile")(reconcile)
    app.command("close-month")(close_month_command)


def reconcile(
    month: Annotated[str, typer.Option(help="One month, like 2026-10.")],
    json: Json = False,
) -> None:
    """Compare the ledger with the gateway's charges, refunds and disputes, page by page. Ends with 1 where they differ."""
    with command_stack() as stack:
        settings = stack.wiring.settings
        now = clock_from(settings.clock_file).now()
        found = _tied_out(stack, span_of(Asked(month=month, zone=settings.report_zone), now=now))
    if json:
        said_json(_values(found))
    else:
        _say(month, found)
    if not found.clean:
        raise typer.Exit(1)


def close_month_command(
    month: Annotated[str, typer.Argument(help="A month that is over, like 2026-10.")],
    by: Annotated[str | None, typer.Option(help="Who signs; the user of this terminal unless given.")] = None,
    despite: Annotated[
        str | None, typer.Option("--despite", metavar="REASON", help="Close it unreconciled, and keep the reason.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare a month with the gateway and keep its figures as they are now. What is booked later is shown beside them."""
    with command_stack() as stack:
        settings = stack.wiring.settings
        now = clock_from(settings.clock_file).now()
        span = month_over(month, settings.report_zone, now=now)  # before the gateway's lists are gone through
        reconciled: dict[str, Any] = {"despite": despite}
        if despite is None:
            tied = _tied_out(stack, span)
            if not tied.clean:
                _say(month, tied)
                raise Refused(
                    f"{month} has {len(tied.differences)} differences; mend them, or close it with --despite REASON."
                )
            reconciled = _values(tied)
        closing = Closing(
            month=month,
            zone=settings.report_zone,
            closed_by=by or getpass.getuser(),
            reconciled=reconciled,
        )
        closed = close_month(stack.wiring.database, closing, now=now)
    if json:
        said_json(
            {"month": closed.month, "zone": closed.zone, "closed_by": closed.closed_by, "figures": closed.figures}
        )
        return
    said(f"{closed.month} ({closed.zone}) is closed by {closed.closed_by}, up to ledger entry {closed.last_entry}")
    for currency, sums in closed.figures["cash"].items():
        said(f"  net recovered, by cash date: {amount(sums['net_minor'], currency)} {currency.upper()}")


def _tied_out(stack: Stack, span: Span) -> TieOut:
    keep_account(stack.wiring)
    return tie_out(stack.wiring.database, stack.wiring.gateway, span)


def _values(found: TieOut) -> dict[str, Any]:
    return {
        "charges": found.charges,
        "reversals": found.reversals,
        "entries": found.entries,
        "differences": [asdict(one) | {"words": one.words} for one in found.differences],
    }


def _say(month: str, found: TieOut) -> None:
    said(
        f"{month}: {found.entries} ledger entries against {found.charges} charges and {found.reversals} refunds and disputes "
        f"of the gateway: {'no difference' if found.clean else f'{len(found.differences)} differences'}"
    )
    if found.clean:
        return
    table = grid("Differences", "cause", "kind", "of", "case", ">ledger", ">gateway", "what to do")
    for one in found.differences:
        table.add_row(
            *cells(one.cause, one.kind.replace("_", " "), one.ref, one.case_id, one.booked, one.at_gateway, one.words)
        )
    console().print(table)
