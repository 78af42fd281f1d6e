"""The report as a workbook: a sheet a table, real numbers, a sheet of definitions. Without it finance would retype CSV by hand."""

import io
from decimal import Decimal
from typing import Any, Final

from recovery.money import exponent
from recovery.reporting.export import NOTE
from recovery.reporting.period import first_and_last_day, narrowed_to
from recovery.reporting.report import Report
from recovery.reporting.table import Column, Kind, Mean, Points, Rate, Row, Table

_WIDTH_MAX: Final = 34


def as_xlsx(report: Report) -> bytes:
    """The workbook's bytes. Money stands in main units with the currency's own decimals; each rate with its denominator beside it."""
    import xlsxwriter

    out = io.BytesIO()
    # Text from outside (decline codes) stays text, whatever it looks like.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"title": "Recovered revenue", "created": report.made_at.replace(tzinfo=None)})
        formats = _Formats(book)
        for table in report.tables:
            _sheet(book.add_worksheet(table.name), table, formats)
        _definitions(book.add_worksheet("definitions"), report, formats)
    return out.getvalue()


class _Formats:
    """The number formats, each made once."""

    def __init__(self, book: Any) -> None:  # noqa: ANN401 - xlsxwriter is untyped
        self._book = book
        self._made: dict[str, Any] = {}
        self.head = book.add_format({"bold": True, "text_wrap": True, "bottom": 1, "valign": "top"})
        self.words = book.add_format({"text_wrap": True, "valign": "top"})

    def numbers(self, pattern: str) -> Any:  # noqa: ANN401
        """The format of a pattern like ``#,##0.00``."""
        if pattern not in self._made:
            self._made[pattern] = self._book.add_format({"num_format": pattern})
        return self._made[pattern]

    def money(self, currency: str) -> Any:  # noqa: ANN401
        """As many decimals as the currency has."""
        decimals = exponent(currency)
        return self.numbers("#,##0" + ("." + "0" * decimals if decimals else ""))


def _sheet(sheet: Any, table: Table, formats: _Formats) -> None:  # noqa: ANN401
    headings = [table.key_label, "Currency"]
    for column in table.columns:
        headings.append(column.label)
        if _with_whole(column):
            headings.append(f"{column.label}: of")
    sheet.write_row(0, 0, headings, formats.head)
    sheet.freeze_panes(1, 2)
    sheet.set_column(0, 0, _WIDTH_MAX)
    sheet.set_column(1, len(headings), 15)
    for number, row in enumerate(table.rows, start=1):
        sheet.write_string(number, 0, row.key)
        sheet.write_string(number, 1, row.currency.upper())
        place = 2
        for column in table.columns:
            place = _write(sheet, (number, place), column, row, formats)
    if table.rows:
        sheet.autofilter(0, 0, len(table.rows), len(headings) - 1)


def _with_whole(column: Column) -> bool:
    return column.kind in (Kind.RATE_OF_COUNT, Kind.RATE_OF_MONEY, Kind.DAYS)


def _write(sheet: Any, at: tuple[int, int], column: Column, row: Row, formats: _Formats) -> int:  # noqa: ANN401
    """Write one figure and return the next free place of the line."""
    line, place = at
    figure, money = row.figures[column.name], formats.money(row.currency)
    if isinstance(figure, Rate | Mean):
        pattern = "0.0%" if isinstance(figure, Rate) else "0.0"
        if figure.value is not None:
            sheet.write_number(line, place, float(figure.value), formats.numbers(pattern))
        whole = figure.whole if isinstance(figure, Rate) else figure.cases
        if column.kind is Kind.RATE_OF_MONEY:
            sheet.write_number(line, place + 1, _main(whole, row.currency), money)
        else:
            sheet.write_number(line, place + 1, whole, formats.numbers("#,##0"))
        return place + 2
    if isinstance(figure, Points):
        if figure.value is not None:
            sheet.write_number(line, place, float(figure.value), formats.numbers("+0.00;-0.00;0.00"))
    elif isinstance(figure, str):
        sheet.write_string(line, place, figure)
    elif column.kind is Kind.MONEY:
        sheet.write_number(line, place, _main(figure, row.currency), money)
    else:
        sheet.write_number(line, place, figure, formats.numbers("#,##0"))
    return place + 1


def _main(minor: int, currency: str) -> float:
    """In main units: a spreadsheet keeps fifteen digits, which is exact far beyond any merchant's sums."""
    return float(Decimal(minor).scaleb(-exponent(currency)))


def _definitions(sheet: Any, report: Report, formats: _Formats) -> None:  # noqa: ANN401
    first, last = first_and_last_day(report.span)
    sheet.set_column(0, 1, _WIDTH_MAX)
    sheet.set_column(2, 2, 110)
    lines = [
        ("Period", f"{first} to {last}", f"Days begin at midnight in {report.span.zone}."),
        (
            "Made",
            f"{report.made_at:%Y-%m-%d %H:%M} UTC",
            f"{NOTE.split(';')[0]} in CSV and JSON, main units here.",
        ),
    ]
    lines += [("Only cases with", f"{name}: {key}", "") for name, key in narrowed_to(report.span).items()]
    for table in report.tables:
        lines.append((table.title, "", table.definition))
        lines += [(table.title, column.label, column.definition) for column in table.columns]
    sheet.write_row(0, 0, ("Table", "Figure", "Definition"), formats.head)
    for number, line in enumerate(lines, start=1):
        for place, words in enumerate(line):
            sheet.write_string(number, place, words, formats.words)
