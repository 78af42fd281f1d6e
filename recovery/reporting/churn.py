"""Churn from subscriptions: how many customers and how much revenue left, by themselves or because a payment failed."""

from collections.abc import Sequence
from typing import Final

from recovery.reporting.table import Column, Kind, Rate, Row, Table
from recovery.reporting.views import TITLES, View
from recovery.storage.churn_queries import ChurnSum

_CUSTOMERS: Final = "Customers"
_REVENUE: Final = "Monthly revenue"


def _column(name: str, label: str, kind: Kind, group: str, definition: str) -> Column:
    return Column(name=name, label=label, kind=kind, group=group, definition=definition)


COLUMNS: Final = (
    _column(
        "customers",
        "At the start",
        Kind.COUNT,
        _CUSTOMERS,
        "Customers with a subscription of this contract and currency when the month began: the denominator by count.",
    ),
    _column(
        "customer_churn",
        "Customer churn",
        Kind.RATE_OF_COUNT,
        _CUSTOMERS,
        "Of them those without one when the month ended, whyever.",
    ),
    _column(
        "voluntary_churn",
        "Voluntary",
        Kind.RATE_OF_COUNT,
        _CUSTOMERS,
        "Those of them who left by themselves, as far as the gateway tells.",
    ),
    _column(
        "involuntary_churn",
        "Involuntary",
        Kind.RATE_OF_COUNT,
        _CUSTOMERS,
        "Those of them whose subscription ended because a payment failed or was disputed, or with a case of it open or lost.",
    ),
    _column(
        "involuntary_without",
        "Involuntary without recoveries, at most",
        Kind.RATE_OF_COUNT,
        _CUSTOMERS,
        "An upper bound: involuntary churn if every customer whose failed renewal of the month was recovered by the engine had left "
        "instead. Some would have paid anyway; only a holdout could tell how many.",
    ),
    _column(
        "monthly_minor",
        "MRR at the start",
        Kind.MONEY,
        _REVENUE,
        "Monthly revenue of these subscriptions at their prices as last imported: the denominator by value.",
    ),
    _column(
        "revenue_churn",
        "Revenue churn",
        Kind.RATE_OF_MONEY,
        _REVENUE,
        "Monthly revenue of those that ended in the month. Changes of price within a subscription are not in it.",
    ),
    _column("left_minor", "MRR that left", Kind.MONEY, _REVENUE, "The same as an amount."),
    _column("involuntary_minor", "of it involuntary", Kind.MONEY, _REVENUE, "What of it left because of payments."),
    _column(
        "saved_minor",
        "MRR preserved, at most",
        Kind.MONEY,
        _REVENUE,
        "An upper bound: monthly revenue of the failed renewals of the month that the engine recovered.",
    ),
)


def churn_table(sums: Sequence[ChurnSum]) -> Table:
    """Month by month and contract by contract."""
    title, key_label, definition = TITLES[View.CHURN]
    rows = [Row(key=f"{one.month} {one.contract}", currency=one.currency, figures=_figures(one)) for one in sums]
    return Table(
        name=View.CHURN, title=title, key_label=key_label, definition=definition, columns=COLUMNS, rows=tuple(rows)
    )


def _figures(found: ChurnSum) -> dict[str, int | Rate]:
    def of_customers(part: int) -> Rate:
        return Rate(part=part, whole=found.customers)

    without = min(found.customers, found.involuntary_customers + found.saved_customers)
    return {
        "customers": found.customers,
        "customer_churn": of_customers(found.left_customers),
        "voluntary_churn": of_customers(found.left_customers - found.involuntary_customers),
        "involuntary_churn": of_customers(found.involuntary_customers),
        "involuntary_without": of_customers(without),
        "monthly_minor": found.monthly_minor,
        "revenue_churn": Rate(part=found.left_minor, whole=found.monthly_minor),
        "left_minor": found.left_minor,
        "involuntary_minor": found.involuntary_minor,
        "saved_minor": found.saved_minor,
    }
