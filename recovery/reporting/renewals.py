"""What share of the invoices failed. Without the denominator a month with more failures could be one with more customers."""

from collections.abc import Sequence
from typing import Final

from recovery.reporting.table import Figure, Kind, Rate, Row, Table, column
from recovery.reporting.views import View, table_of
from recovery.storage.past_queries import InvoiceSum

_CASES: Final = "Invoices"
_MONEY: Final = "Money"

COLUMNS: Final = (
    column(
        "invoices",
        "Invoices",
        Kind.COUNT,
        _CASES,
        "Invoices made in the month that are charged automatically and ask for something, without voided ones and those that began a "
        "subscription: the denominator by count.",
    ),
    column(
        "failed_share",
        "Failed, by count",
        Kind.RATE_OF_COUNT,
        _CASES,
        "Those of them whose payment failed, recovered ones included: each is a case. Of those made since the first case: what failed "
        "before is not known, and invoices that were overdue already are left alone.",
    ),
    column(
        "unpaid_share",
        "Unpaid, by count",
        Kind.RATE_OF_COUNT,
        _CASES,
        "Those of them that were not paid at the last import, for whatever reason.",
    ),
    column("billed_minor", "Billed", Kind.MONEY, _MONEY, "What these invoices asked for: the denominator by value."),
    column(
        "failed_value",
        "Failed, by value",
        Kind.RATE_OF_MONEY,
        _MONEY,
        "What the failed ones asked for, of all made since the first case.",
    ),
    column("unpaid_value", "Unpaid, by value", Kind.RATE_OF_MONEY, _MONEY, "What the unpaid ones asked for."),
)


def renewals_table(sums: Sequence[InvoiceSum]) -> Table:
    """Month by month and currency by currency."""
    return table_of(
        View.RENEWALS, COLUMNS, [Row(key=one.month, currency=one.currency, figures=_figures(one)) for one in sums]
    )


def _figures(one: InvoiceSum) -> dict[str, Figure]:
    return {
        "invoices": one.invoices,
        "failed_share": Rate(part=one.failed_invoices, whole=one.watched_invoices),
        "unpaid_share": Rate(part=one.unpaid_invoices, whole=one.invoices),
        "billed_minor": one.billed_minor,
        "failed_value": Rate(part=one.failed_minor, whole=one.watched_minor),
        "unpaid_value": Rate(part=one.unpaid_minor, whole=one.billed_minor),
    }
