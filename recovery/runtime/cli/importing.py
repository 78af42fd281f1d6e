"""Brings in what the gateway knows from before. Without it churn would have no denominator in the first months."""

import time
from typing import Annotated

import typer

from recovery.intake.importing import import_subscriptions
from recovery.runtime.cli.output import said, said_json
from recovery.runtime.cli.session import command_stack
from recovery.runtime.clock import machine_now

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
    """Read all subscriptions, cancelled ones included: the denominators of churn.

    Goes on where it was interrupted; may be repeated at any time.
    """
    with command_stack() as stack:
        done = import_subscriptions(
            stack.wiring.database,
            stack.wiring.gateway,
            machine_clock=machine_now,
            wait=lambda: time.sleep(1 / per_second),
        )
    if json:
        said_json({"subscriptions": done.read, "begun_at": done.begun_at.isoformat()})
    else:
        said(f"{done.read} subscriptions are in; `recovery report --by churn` shows who left")
