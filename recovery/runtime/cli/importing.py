"""Brings in what the gateway knows from before. Without it churn and budgets would begin empty."""

import time
from typing import Annotated

import typer

from recovery.intake.importing import Surroundings, import_all
from recovery.runtime.cli.output import said, said_json
from recovery.runtime.cli.session import command_stack
from recovery.runtime.clock import clock_from, machine_now

import_app = typer.Typer(no_args_is_help=True, help="Bring in what a gateway knows from before.")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(import_app, name="import")


@import_app.callback()
def _group() -> None:
    """Keep the gateway's name a command of its own."""


@import_app.command("stripe")
def import_stripe(
    per_second: Annotated[
        float,
        typer.Option(
            min=0.1, max=50, help="Pages a second; Stripe allows 100 calls a second in live mode, 25 in test mode."
        ),
    ] = 5.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read all subscriptions, and the invoices, charges and customers' cards of 24 months: denominators of churn and of
    failures, and what the networks count already against each card.

    Goes on where it was interrupted; may be repeated at any time, best nightly.
    """
    done = {}
    with command_stack(gateway=True) as stack:
        around = Surroundings(
            database=stack.wiring.database,
            gateway=stack.wiring.gateway,
            now=clock_from(stack.wiring.settings.clock_file).now(),
            machine_clock=machine_now,
            wait=lambda: time.sleep(1 / per_second),
        )
        for name, progress in import_all(around):
            done[name] = {"read": progress.read, "begun_at": progress.begun_at.isoformat()}
            if not json:
                what = "customers whose cards were read" if name == "cards" else name
                said(f"{progress.read:,} {what} are in")
    if json:
        said_json(done)
    else:
        said("`recovery report --by churn` shows who left, `--by renewals` what share of the invoices failed")
