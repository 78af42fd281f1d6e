"""The recovered-revenue report on a terminal or as a file. Without it finance would need a browser to get at its numbers."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from recovery.reporting.chart import chart
from recovery.reporting.export import as_csv, as_json
from recovery.reporting.period import Asked, first_and_last_day, span_of
from recovery.reporting.report import Report, View, report
from recovery.reporting.table import Row, Table, shown
from recovery.reporting.views import HEADLINES
from recovery.reporting.workbook import as_xlsx
from recovery.runtime.cli.output import cells, console, grid
from recovery.runtime.cli.session import command_stack
from recovery.runtime.clock import clock_from
from recovery.runtime.web.render import page_of
from recovery.runtime.web.report_view import report_values

LABEL_WIDTH, FIGURE_WIDTH = 28, 26
"""Columns that the longest label and a rate with its denominator take."""


class Format(StrEnum):
    """How the report is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    HTML = "html"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report_command)


def report_command(  # noqa: PLR0913 - the options of one command
    month: Annotated[str | None, typer.Option(help="One month, like 2026-10.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day, like 2026-10-01.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day, included.")] = None,
    by: Annotated[list[View] | None, typer.Option(help="Only this table; may be given several times.")] = None,
    zone: Annotated[
        str | None,
        typer.Option(help="Where days and months begin, like Europe/Berlin; RECOVERY_REPORT_ZONE unless given."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option("--output", help="Write to this file instead.")] = None,
    chart_file: Annotated[Path | None, typer.Option("--chart", help="Also write the chart to this SVG file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="The same as --format csv.")] = False,
) -> None:
    """What failed, what came back, and what the engine brought about; per currency, each figure defined.

    Without a period: the last twelve months. Files hold every table unless --by names some.
    """
    if json and csv:
        raise typer.BadParameter("choose one of --json and --csv")
    form = Format.JSON if json else Format.CSV if csv else form
    with command_stack() as stack:
        settings = stack.wiring.settings
        made_at = clock_from(settings.clock_file).now()
        span = span_of(Asked(month=month, first=first, last=last, zone=zone or settings.report_zone), now=made_at)
        views = by or (HEADLINES if form is Format.TABLE else tuple(View))
        with_days = chart_file is not None or form is Format.HTML
        found = report(
            stack.wiring.database,
            span,
            made_at=made_at,
            views=views,
            with_days=with_days,
            rates=stack.wiring.rates,
            networks=stack.wiring.rulebook.networks,
        )
    if chart_file is not None:
        chart_file.write_text(chart(found), encoding="utf-8")
    if form is Format.TABLE and output is None:
        _say(found)
    else:
        _write(_bytes(found, form), output)


def _bytes(found: Report, form: Format) -> bytes:
    match form:
        case Format.XLSX:
            return as_xlsx(found)
        case Format.HTML:
            return page_of("report_file.html", report_values(found)).encode()
        case Format.CSV:
            return as_csv(found).encode()
        case Format.JSON:
            return as_json(found).encode()
        case Format.TABLE:
            raise typer.BadParameter("--output needs --format json, csv, xlsx or html")


def _write(content: bytes, output: Path | None) -> None:
    if output is not None:
        output.write_bytes(content)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)


def _say(found: Report) -> None:
    out = console()
    first, last = first_and_last_day(found.span)
    out.print(f"Recovered revenue, {first} to {last} ({found.span.zone}), as known {found.made_at:%Y-%m-%d %H:%M} UTC")
    if not any(table.rows for table in found.tables):
        out.print("Nothing failed and nothing was booked in this period.")
        return
    for table in found.tables:
        if table.name != View.RESTATED or table.rows:
            _say_table(table)
    out.print("Every figure is defined in --json and --csv and on the page /report. Currencies are never added up.")


def _say_table(table: Table) -> None:
    """One block a currency: figures downwards, so that a terminal of eighty columns holds them unfolded."""
    out = console()
    out.print(Text.assemble("\n", (table.title, "bold"), ": ", table.definition))
    if not table.rows:
        out.print("Nothing in this period.")
    abreast = max(1, (out.width - LABEL_WIDTH) // FIGURE_WIDTH)
    for currency in dict.fromkeys(row.currency for row in table.rows):
        rows = [row for row in table.rows if row.currency == currency]
        for begin in range(0, len(rows), abreast):
            _say_block(out, table, rows[begin : begin + abreast])


def _say_block(out: Console, table: Table, rows: Sequence[Row]) -> None:
    block = grid("", rows[0].currency.upper(), *(f">{row.key}" for row in rows))
    block.title = None
    for group in table.groups:
        for column in table.of_group(group):
            figures = [shown(row.figures[column.name], column.kind, row.currency) for row in rows]
            block.add_row(*cells(column.label, *figures))
        block.add_section()
    out.print(block)
