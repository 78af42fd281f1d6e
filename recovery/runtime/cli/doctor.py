"""``recovery doctor``: looks at every setting and connection and says what to do."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from recovery.runtime.doctor import CONFIRMATIONS, confirm, examine
from recovery.runtime.finding import Health
from recovery.runtime.settings import load_settings
from recovery.runtime.stack import opened

_MARKS = {Health.OK: "[green]✓[/]", Health.WARNING: "[yellow]![/]", Health.FAILED: "[bold red]✗[/]"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    confirmed: Annotated[
        list[str] | None,
        typer.Option("--confirm", metavar="NAME", help=f"Record that you looked: {', '.join(CONFIRMATIONS)}, or all."),
    ] = None,
) -> None:
    """Check settings, files, database, broker, mail server and Stripe, and say what to do about each.

    Exit code 0 when nothing failed (warnings allowed), 1 otherwise.
    """
    settings = load_settings()
    names = list(CONFIRMATIONS) if confirmed == ["all"] else confirmed or []
    for name in names:
        if name not in CONFIRMATIONS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(CONFIRMATIONS)}", param_hint="--confirm")
    with opened(settings, broker=True) as stack:
        for name in names:
            confirm(stack.wiring, name)
        broker_url = stack.broker_url
        assert broker_url is not None
        findings = list(examine(stack.wiring, lambda: broker_url))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
        for finding in findings:
            remedy = f"\n[bold]→ {finding.remedy}[/]" if finding.remedy else ""
            table.add_row(_MARKS[finding.health], finding.subject, finding.detail + remedy)
        Console().print(table)
    if any(finding.health is Health.FAILED for finding in findings):
        raise typer.Exit(1)
