"""Churn from subscriptions: how many customers and how much revenue left, by themselves or because a payment failed."""

from collections.abc import Sequence
from typing import Final

from recovery.reporting.proof import MEASURING, Uplift
from recovery.reporting.table import Column, Kind, Rate, Row, Table
from recovery.reporting.views import TITLES, View
from recovery.storage.churn_queries import ChurnSum

_CUSTOMERS: Final = "Customers"
_REVENUE: Final = "Monthly revenue"
_NET: Final = "Net revenue churn"


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
        "involuntary_measured",
        "Involuntary without the engine, as measured",
        Kind.RATE_OF_COUNT,
        _CUSTOMERS,
        "Involuntary churn and the uplift that the holdout measured, taken of the customers whose renewal failed in the month; empty "
        "as long as the holdout is still measuring. The plain ladder goes on in it, so it says what the engine adds to that.",
    ),
    _column(
        "monthly_minor",
        "MRR at the start",
        Kind.MONEY,
        _REVENUE,
        "Monthly revenue of these subscriptions when the month began, as far as imports saw prices change: the denominator by value.",
    ),
    _column(
        "revenue_churn",
        "Revenue churn",
        Kind.RATE_OF_MONEY,
        _REVENUE,
        "Monthly revenue of those that ended in the month. Changes of price within a subscription are not in it.",
    ),
    _column(
        "revenue_voluntary",
        "of it voluntary",
        Kind.RATE_OF_MONEY,
        _REVENUE,
        "Of subscriptions that their customers ended, as far as the gateway tells.",
    ),
    _column(
        "revenue_involuntary", "of it involuntary", Kind.RATE_OF_MONEY, _REVENUE, "What of it left because of payments."
    ),
    _column("left_minor", "MRR that left", Kind.MONEY, _REVENUE, "The same as an amount."),
    _column(
        "involuntary_minor", "MRR that left, involuntary", Kind.MONEY, _REVENUE, "What of it left because of payments."
    ),
    _column(
        "saved_minor",
        "MRR preserved, at most",
        Kind.MONEY,
        _REVENUE,
        "An upper bound: monthly revenue of the failed renewals of the month that the engine recovered.",
    ),
    _column(
        "contraction_minor",
        "Contraction",
        Kind.MONEY,
        _NET,
        "What prices of subscriptions that went on fell in the month, as two imports found them.",
    ),
    _column(
        "expansion_minor",
        "Expansion",
        Kind.MONEY,
        _NET,
        "What prices of such subscriptions rose, as two imports found them.",
    ),
    _column(
        "net_revenue_churn",
        "Net revenue churn",
        Kind.RATE_OF_MONEY,
        _NET,
        "Revenue that left and contraction, less expansion; below nought where what stayed grew more than what left.",
    ),
    _column(
        "net_voluntary",
        "Net, voluntary",
        Kind.RATE_OF_MONEY,
        _NET,
        "Revenue that left by itself and contraction, less expansion: the rest of net revenue churn is the involuntary part.",
    ),
)


def churn_table(sums: Sequence[ChurnSum], uplift: Uplift | None = None) -> Table:
    """Month by month and contract by contract; ``uplift`` is what the holdout measured."""
    title, key_label, definition = TITLES[View.CHURN]
    rows = [
        Row(key=f"{one.month} {one.contract}", currency=one.currency, figures=_figures(one, uplift)) for one in sums
    ]
    return Table(
        name=View.CHURN, title=title, key_label=key_label, definition=definition, columns=COLUMNS, rows=tuple(rows)
    )


def _measured(found: ChurnSum, uplift: Uplift | None) -> Rate:
    if uplift is None or uplift.points is None or uplift.said == MEASURING:
        return Rate(part=0, whole=0)
    more = round(max(0.0, uplift.points) * found.failed_customers)
    return Rate(part=min(found.customers, found.involuntary_customers + more), whole=found.customers)


def _figures(found: ChurnSum, uplift: Uplift | None) -> dict[str, int | Rate]:
    def of_customers(part: int) -> Rate:
        return Rate(part=part, whole=found.customers)

    def of_revenue(part: int) -> Rate:
        return Rate(part=part, whole=found.monthly_minor)

    by_choice = found.left_minor - found.involuntary_minor
    changed = found.contraction_minor - found.expansion_minor
    without = min(found.customers, found.involuntary_customers + found.saved_customers)
    return {
        "customers": found.customers,
        "customer_churn": of_customers(found.left_customers),
        "voluntary_churn": of_customers(found.left_customers - found.involuntary_customers),
        "involuntary_churn": of_customers(found.involuntary_customers),
        "involuntary_without": of_customers(without),
        "involuntary_measured": _measured(found, uplift),
        "monthly_minor": found.monthly_minor,
        "revenue_churn": of_revenue(found.left_minor),
        "revenue_voluntary": of_revenue(by_choice),
        "revenue_involuntary": of_revenue(found.involuntary_minor),
        "contraction_minor": found.contraction_minor,
        "expansion_minor": found.expansion_minor,
        "net_revenue_churn": of_revenue(found.left_minor + changed),
        "net_voluntary": of_revenue(by_choice + changed),
        "left_minor": found.left_minor,
        "involuntary_minor": found.involuntary_minor,
        "saved_minor": found.saved_minor,
    }
