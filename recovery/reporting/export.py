"""The report for other programs. Without one export per form the page and the command would hand out different files."""

import csv
import io
import json
from typing import Any

from recovery.reporting.period import first_and_last_day, narrowed_to
from recovery.reporting.report import Report
from recovery.reporting.table import Column, Figure, Mean, Points, Rate, Row, Table

NOTE = "Amounts are integer minor units; currencies are never added up."


def as_values(report: Report) -> dict[str, Any]:
    """The whole report with its definitions, ready for JSON."""
    first, last = first_and_last_day(report.span)
    return {
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "zone": report.span.zone,
        "made_at": report.made_at.isoformat(),
        "narrowed": narrowed_to(report.span),
        "note": NOTE,
        "tables": {table.name: _table(table) for table in report.tables},
    }


def as_json(report: Report) -> str:
    """The same as text."""
    return json.dumps(as_values(report), indent=2, ensure_ascii=False) + "\n"


def as_csv(report: Report) -> str:
    """One line a figure: every table fits the same columns, whatever its figures are. A rate comes with its denominator."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("table", "key", "currency", "figure", "kind", "value", "denominator", "definition"))
    for table in report.tables:
        for row in table.rows:
            for column in table.columns:
                writer.writerow((table.name, _safe(row.key), row.currency, column.name, *_cells(column, row)))
    return out.getvalue()


def _cells(column: Column, row: Row) -> tuple[str, str | int, str | int, str]:
    figure = row.figures[column.name]
    if isinstance(figure, Rate):
        share = "" if figure.value is None else str(figure.value)
        return column.kind.value, share, figure.whole, column.definition
    if isinstance(figure, Mean):
        days = "" if figure.value is None else str(figure.value)
        return column.kind.value, days, figure.cases, column.definition
    if isinstance(figure, Points):
        return column.kind.value, "" if figure.value is None else str(figure.value), "", column.definition
    return column.kind.value, figure, "", column.definition


def _safe(text: str) -> str:
    """A spreadsheet would run a text that begins like a formula; codes come from outside."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _table(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "definition": table.definition,
        "key": table.key_label,
        "figures": {
            column.name: {"label": column.label, "kind": column.kind.value, "definition": column.definition}
            for column in table.columns
        },
        "rows": [
            {
                "key": row.key,
                "currency": row.currency,
                **{column.name: _figure(row.figures[column.name]) for column in table.columns},
            }
            for row in table.rows
        ],
    }


def _figure(figure: Figure) -> Any:  # noqa: ANN401 - JSON
    if isinstance(figure, Mean):
        return {"days": None if figure.value is None else str(figure.value), "cases": figure.cases}
    if isinstance(figure, Rate):
        value = None if figure.value is None else str(figure.value)
        return {"rate": value, "part": figure.part, "whole": figure.whole}
    if isinstance(figure, Points):
        return {"points": None if figure.value is None else str(figure.value)}
    return figure
