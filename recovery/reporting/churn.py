"""Churn from subscriptions: how many customers and how much revenue left, by themselves or because a payment failed."""

from collections.abc import Sequence
from typing import Final

from recovery.reporting.proof import MEASURING, Uplift
from recovery.reporting.table import Kind, Rate, Row, Table, column
from recovery.reporting.views import View, table_of
from recovery.storage.churn_queries import ChurnSum

_CUSTOMERS: Final = "Customers"
_REVENUE: Final = "Monthly revenue"
_NET: Final = "Net revenue churn"


COLUMNS: Final = (
    column(
        "customers",
        "At the start",
        Kind.COUNT,
        _CUSTOMERS,
        "Customers with a subscription of this contract and currency when the month began: the denominator by count.",
    ),
    column(
        "customer_churn",
        "Customer churn",
        Kind.RATE_OF_COUNT,
        _CUSTOMERS,
        "Of them those who had no subscription of that currency when the month ended, whyever. Who changed to another contract stayed.",
    ),
    column(
        "voluntary_churn",
        "Voluntary",
        Kind.RATE_OF_COUNT,
        _CUSTOMERS,
        "Those of them who left by themselves, as far as the gateway tells.",
    ),
    column(
        "involuntary_churn",
        "Involuntary",
        Kind.RATE_OF_COUNT,
        _CUSTOMERS,
        "Those of them whose subscription ended because a payment failed or was disputed, or with a case of it open or lost.",
    ),
    column(
        "involuntary_without",
        "Involuntary without recoveries, at most",
        Kind.RATE_OF_COUNT,
        _CUSTOMERS,
        "An upper bound: involuntary churn if every customer whose failed renewal of the month was recovered by the engine had left "
        "instead. Some would have paid anyway; only a holdout could tell how many.",
    ),
    column(
        "involuntary_measured",
        "Involuntary without the engine, as measured",
        Kind.RATE_OF_COUNT,
        _CUSTOMERS,
        "Involuntary churn and the uplift that the holdout measured, taken of the customers outside it whose renewal failed in the "
        "month; empty as long as it is still measuring. The plain ladder goes on in it: the figure tells what the engine adds to that.",
    ),
    column(
        "monthly_minor",
        "MRR at the start",
        Kind.MONEY,
        _REVENUE,
        "Monthly revenue of these subscriptions when the month began, as far as imports saw prices change: the denominator by value.",
    ),
    column(
        "revenue_churn",
        "Revenue churn",
        Kind.RATE_OF_MONEY,
        _REVENUE,
        "Monthly revenue of those that ended in the month, also where the customer began another one. Changes of price within a "
        "subscription are not in it.",
    ),
    column(
        "revenue_voluntary",
        "of it voluntary",
        Kind.RATE_OF_MONEY,
        _REVENUE,
        "Of subscriptions that their customers ended, as far as the gateway tells.",
    ),
    column(
        "revenue_involuntary", "of it involuntary", Kind.RATE_OF_MONEY, _REVENUE, "What of it left because of payments."
    ),
    column("left_minor", "MRR that left", Kind.MONEY, _REVENUE, "The same as an amount."),
    column(
        "involuntary_minor", "MRR that left, involuntary", Kind.MONEY, _REVENUE, "What of it left because of payments."
    ),
    column(
        "saved_minor",
        "MRR preserved, at most",
        Kind.MONEY,
        _REVENUE,
        "An upper bound: monthly revenue of the failed renewals of the month that the engine recovered.",
    ),
    column(
        "contraction_minor",
        "Contraction",
        Kind.MONEY,
        _NET,
        "What prices of subscriptions that went on fell in the month, as two imports found them.",
    ),
    column(
        "expansion_minor",
        "Expansion",
        Kind.MONEY,
        _NET,
        "What prices of such subscriptions rose, as two imports found them.",
    ),
    column(
        "net_revenue_churn",
        "Net revenue churn",
        Kind.RATE_OF_MONEY,
        _NET,
        "Revenue that left and contraction, less expansion; below nought where what stayed grew more than what left.",
    ),
    column(
        "net_voluntary",
        "Net, voluntary",
        Kind.RATE_OF_MONEY,
        _NET,
        "Revenue that left by itself and contraction, less expansion: the rest of net revenue churn is the involuntary part.",
    ),
)


def churn_table(sums: Sequence[ChurnSum], uplift: Uplift | None = None) -> Table:
    """Month by month and contract by contract; ``uplift`` is what the holdout measured."""
    rows = [
        Row(key=f"{one.month} {one.contract}", currency=one.currency, figures=_figures(one, uplift)) for one in sums
    ]
    return table_of(View.CHURN, COLUMNS, rows)


def _measured(found: ChurnSum, uplift: Uplift | None) -> Rate:
    if uplift is None or uplift.points is None or uplift.said == MEASURING:
        return Rate(part=0, whole=0)
    more = round(uplift.points * found.failed_customers)
    return Rate(part=min(found.customers, max(0, found.involuntary_customers + more)), whole=found.customers)


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
