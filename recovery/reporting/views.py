"""The tables a report can have, and what each one's rows are. Without the list in one place command, page and export would differ."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from recovery.reporting.table import Column, Row, Table
from recovery.storage.report_sums import Cut, Only


class View(StrEnum):
    """The tables a report can have."""

    COHORT = "cohort"
    CASH = "cash"
    SOURCE = "source"
    REASON = "reason"
    CLASS = "class"
    ATTEMPT = "attempt"
    HOURS = "hours"
    DAYS = "days"
    BRAND = "brand"
    COUNTRY = "country"
    SEGMENT = "segment"
    TENURE = "tenure"
    CONTRACT = "contract"
    AMOUNT = "amount"
    EMAILS = "emails"
    ARM = "arm"
    PENALTIES = "penalties"
    RENEWALS = "renewals"
    CHURN = "churn"
    PROOF = "proof"
    CONVERTED = "converted"
    RESTATED = "restated"


CUTS: Final = {
    View.COHORT: Cut.MONTH,
    View.REASON: Cut.REASON,
    View.CLASS: Cut.DECLINE_CLASS,
    View.DAYS: Cut.DAYS,
    View.BRAND: Cut.BRAND,
    View.COUNTRY: Cut.COUNTRY,
    View.SEGMENT: Cut.SEGMENT,
    View.TENURE: Cut.TENURE,
    View.CONTRACT: Cut.CONTRACT,
    View.AMOUNT: Cut.AMOUNT,
    View.EMAILS: Cut.EMAILS,
    View.ARM: Cut.ARM,
}
"""What the cases are divided by, for the tables that divide them."""

NOT_OF_CASES: Final = (View.PENALTIES, View.RENEWALS, View.CHURN)
"""Tables of attempts, invoices and subscriptions: of all filters only the currency reaches them."""

BEFORE_THE_LOT: Final = (
    Only.CURRENCY,
    Cut.MONTH,
    Cut.REASON,
    Cut.BRAND,
    Cut.COUNTRY,
    Cut.SEGMENT,
    Cut.TENURE,
    Cut.CONTRACT,
    Cut.AMOUNT,
)
"""Filters under which arms can be compared: what is an outcome, or follows from one, would be compared with itself."""

HEADLINES: Final = (View.COHORT, View.CASH, View.SOURCE, View.RESTATED)
"""What is shown when nobody asks for a cut."""

TITLES: Final = {
    View.COHORT: (
        "By failure cohort",
        "Month of the failure",
        "Cases in the month in which their payment failed, as they stand now; the money whenever it came.",
    ),
    View.CASH: (
        "By cash date",
        "Month of the booking",
        "Each booking in the month in which it occurred, whenever the payment had failed.",
    ),
    View.SOURCE: (
        "By source of the money",
        "Source",
        "The cases whose payment failed in the period, by what brought the money.",
    ),
    View.REASON: (
        "By decline reason",
        "Code of the failure",
        "The same cases by the code of the failure that opened them.",
    ),
    View.CLASS: (
        "By decline class",
        "Class of the last decline",
        "The same cases by the class of the last decline that is known of them.",
    ),
    View.ATTEMPT: (
        "By attempt number",
        "Attempt",
        "The engine's own attempts on the cases whose payment failed in the period.",
    ),
    View.HOURS: (
        "By hour of the week",
        "Hour",
        "The same attempts by weekday and hour in the issuer's own time zone.",
    ),
    View.DAYS: ("By days to recovery", "Time", "The same cases by the time from the failure to the recovery."),
    View.BRAND: ("By card brand", "Brand", "The same cases by the brand of the card that was declined last."),
    View.COUNTRY: (
        "By country",
        "Issuer's country",
        "The same cases by the country of the bank that issued that card.",
    ),
    View.SEGMENT: ("By segment", "Segment", "The same cases by the segments of the policy that they belong to."),
    View.TENURE: ("By tenure", "Tenure", "The same cases by the time from the subscription's start to the failure."),
    View.CONTRACT: ("By contract length", "Renews every", "The same cases by how often their subscription renews."),
    View.AMOUNT: ("By amount", "Amount", "The same cases by the amount at risk, in main units of the currency."),
    View.EMAILS: ("By campaign step", "Emails sent", "The same cases by how many emails were sent to the customer."),
    View.CONVERTED: (
        "In one currency",
        "Month of the booking",
        "The figures by cash date, each currency's sum converted at the month's booked rate. Without a file of rates there are none.",
    ),
    View.PENALTIES: (
        "Network penalties, estimated",
        "Network and rule",
        "What the card networks may charge for attempts of the period, estimated from their rules; the bill comes from the acquirer.",
    ),
    View.RENEWALS: (
        "Invoices and their failures",
        "Month of the invoice",
        "All invoices that were charged automatically, as last brought in by `recovery import stripe`, and those of them that failed.",
    ),
    View.CHURN: (
        "Churn",
        "Month and contract",
        "Subscriptions as last brought in by `recovery import stripe`: who had one when the month began, and had none when it ended.",
    ),
    View.ARM: (
        "By arm of the holdout",
        "Arm",
        "The same cases by how their customer is treated: with the engine, in the holdout, or not measured at all.",
    ),
    View.PROOF: (
        "What the engine adds",
        "Measured in",
        "All measured cases that failed before the period ends and at least 30 days ago, the engine's customers against the holdout's. "
        "Without a share for the holdout in the policy there are none.",
    ),
    View.RESTATED: (
        "Closed months",
        "Month and figure",
        "Net figures of closed months, and every other figure that changed since: first as it was when the month was closed.",
    ),
}
"""Title, what the rows are, and the sentence that defines the table."""


def table_of(view: View, columns: tuple[Column, ...], rows: Sequence[Row]) -> Table:
    """A view's table: its title and words with these figures."""
    title, key_label, definition = TITLES[view]
    return Table(name=view, title=title, key_label=key_label, definition=definition, columns=columns, rows=tuple(rows))
