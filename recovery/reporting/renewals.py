"""What share of the invoices failed. Without the denominator a month with more failures could be one with more customers."""

from collections.abc import Sequence
from typing import Final

from recovery.reporting.table import Column, Figure, Kind, Rate, Row, Table
from recovery.reporting.views import TITLES, View
from recovery.storage.past_queries import InvoiceSum

_CASES: Final = "Invoices"
_MONEY: Final = "Money"

COLUMNS: Final = (
    Column(
        name="invoices",
        label="Invoices",
        kind=Kind.COUNT,
        group=_CASES,
        definition="Invoices made in the month that are charged automatically and ask for something: the denominator by count.",
    ),
    Column(
        name="failed_share",
        label="Failed, by count",
        kind=Kind.RATE_OF_COUNT,
        group=_CASES,
        definition="Those of them whose payment failed, recovered ones included: each is a case.",
    ),
    Column(
        name="unpaid_share",
        label="Unpaid, by count",
        kind=Kind.RATE_OF_COUNT,
        group=_CASES,
        definition="Those of them that were not paid at the last import, for whatever reason.",
    ),
    Column(
        name="billed_minor",
        label="Billed",
        kind=Kind.MONEY,
        group=_MONEY,
        definition="What these invoices asked for: the denominator by value.",
    ),
    Column(
        name="failed_value",
        label="Failed, by value",
        kind=Kind.RATE_OF_MONEY,
        group=_MONEY,
        definition="What the failed ones asked for.",
    ),
    Column(
        name="unpaid_value",
        label="Unpaid, by value",
        kind=Kind.RATE_OF_MONEY,
        group=_MONEY,
        definition="What the unpaid ones asked for.",
    ),
)


def renewals_table(sums: Sequence[InvoiceSum]) -> Table:
    """Month by month and currency by currency."""
    title, key_label, definition = TITLES[View.RENEWALS]
    rows = [Row(key=one.month, currency=one.currency, figures=_figures(one)) for one in sums]
    return Table(
        name=View.RENEWALS, title=title, key_label=key_label, definition=definition, columns=COLUMNS, rows=tuple(rows)
    )


def _figures(one: InvoiceSum) -> dict[str, Figure]:
    return {
        "invoices": one.invoices,
        "failed_share": Rate(part=one.failed_invoices, whole=one.invoices),
        "unpaid_share": Rate(part=one.unpaid_invoices, whole=one.invoices),
        "billed_minor": one.billed_minor,
        "failed_value": Rate(part=one.failed_minor, whole=one.billed_minor),
        "unpaid_value": Rate(part=one.unpaid_minor, whole=one.billed_minor),
    }
