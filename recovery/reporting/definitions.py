"""What each figure means, in the words printed beside it. Without them two readers would sign two different numbers."""

from typing import Final

from recovery.reporting.table import Column, Kind, column

_CASES: Final = "Cases and rates"
_MONEY: Final = "Money"


def _count(name: str, label: str, definition: str) -> Column:
    return column(name, label, Kind.COUNT, _CASES, definition)


def _money(name: str, label: str, definition: str) -> Column:
    return column(name, label, Kind.MONEY, _MONEY, definition)


def _rate(name: str, label: str, kind: Kind, definition: str) -> Column:
    return column(name, label, kind, _CASES, definition)


GROSS: Final = _money(
    "recovered_minor", "Recovered, gross", "Charges that succeeded after the failure, before anything went back."
)
CREDITED: Final = _money(
    "credited_minor",
    "of it by the engine",
    "Gross recovered money that the engine brought about: silent retries, refreshed and backup cards, payments after an email. "
    "Customers who paid unasked and the gateway's own retries are never in it.",
)
REFUNDED: Final = _money(
    "refunded_minor", "Refunded", "What of the recovered money was refunded; failed refunds taken off."
)
DISPUTED: Final = _money(
    "disputed_minor",
    "Disputed",
    "What of the recovered money is disputed or was lost in a dispute; disputes that were won taken off.",
)
FEES: Final = _money(
    "fee_minor",
    "Fees",
    "What the gateway kept of these charges and for their disputes, from its balance, fees given back taken off. Fees that it took in "
    "another currency stand in the cash table under that currency.",
)
NET: Final = _money("net_minor", "Recovered, net", "Gross less refunded, disputed and fees.")

COHORT: Final = (
    _count(
        "cases",
        "Cases",
        "Invoices whose payment failed in the period, one case each, those still open included: the denominator by count.",
    ),
    _count("recovered_cases", "Recovered", "Cases that were paid by a charge, also those paid after being given up."),
    _count("credited_cases", "of them by the engine", "Recovered cases whose first payment the engine brought about."),
    _count(
        "unwritten_cases",
        "Emails avoided",
        "Recovered cases credited to the engine in which no email had to be written to the customer.",
    ),
    _count("open_cases", "Still open", "Cases that are still being worked on; they may yet be recovered."),
    _count("lost_cases", "Lost", "Cases given up, or written off by the merchant, and not paid since."),
    _count(
        "withdrawn_cases",
        "Withdrawn",
        "Cases that are no longer owed, or whose subscription was cancelled, and that were not paid since.",
    ),
    _rate(
        "rate_by_count",
        "Recovery rate by count",
        Kind.RATE_OF_COUNT,
        "Recovered cases divided by all cases of the period, open ones included.",
    ),
    _rate(
        "rate_by_value",
        "Recovery rate by value",
        Kind.RATE_OF_MONEY,
        "Gross recovered money divided by the money at risk, open cases included.",
    ),
    _rate(
        "credited_rate_by_value",
        "by the engine, by value",
        Kind.RATE_OF_MONEY,
        "Gross recovered money credited to the engine divided by the money at risk.",
    ),
    _rate(
        "days_to_recovery",
        "Days to recovery",
        Kind.DAYS,
        "Mean time from the failure to the recovery, over the recovered cases.",
    ),
    _money(
        "at_risk_minor",
        "At risk",
        "What was owed on these cases when they failed, as last read, what was paid of it included: the denominator by value.",
    ),
    GROSS,
    CREDITED,
    REFUNDED,
    DISPUTED,
    FEES,
    NET,
    _money(
        "monthly_minor",
        "Preserved MRR",
        "Invoice amounts of the recovered cases as monthly revenue: a yearly one counts a twelfth, a weekly one 30.4375 / 7 times. "
        "Unlike the cash it comes again, if the subscription goes on.",
    ),
    _money(
        "one_off_minor",
        "One-off cash",
        "Gross recovered money of invoices without a subscription: it does not come again.",
    ),
    _money("open_minor", "Still open", "What remains to be paid on cases that are still being worked on."),
    _money("lost_minor", "Lost", "What remained to be paid on cases given up or written off and not paid since."),
    _money(
        "withdrawn_minor",
        "Withdrawn",
        "What remained to be paid on cases no longer owed or cancelled, and not paid since.",
    ),
)

CASH: Final = (
    _count("failed_cases", "Newly failed", "Cases whose payment failed in the month."),
    _count(
        "recovered_cases",
        "Recovered",
        "Cases on which a charge succeeded in the month, whenever the payment had failed.",
    ),
    _money("at_risk_minor", "Newly at risk", "What was first owed on the cases that failed in the month."),
    GROSS,
    CREDITED,
    _money("refunded_minor", "Refunded", "Refunds of recovered money made in the month; failed refunds taken off."),
    _money(
        "disputed_minor",
        "Disputed",
        "Disputes of recovered money opened in the month, less those won in it: a win in a later month is a negative figure there.",
    ),
    _money(
        "fee_minor",
        "Fees",
        "What the gateway kept in the month for recovered charges and their disputes, less what it gave back.",
    ),
    NET,
    _money(
        "lost_minor",
        "Lost",
        "Cases given up or written off in the month, less what was written off before and paid in the month after all.",
    ),
    _money(
        "withdrawn_minor",
        "Withdrawn",
        "Cases withdrawn in the month, less what was withdrawn before and paid in the month after all.",
    ),
)

SOURCE: Final = (
    column("credited", "Credited to the engine", Kind.WORD, _CASES, "Whether the engine takes credit for this source."),
    _count("cases", "Cases", "Cases of the period with a successful charge from this source."),
    _rate(
        "share_of_recovered",
        "Share of recovered",
        Kind.RATE_OF_MONEY,
        "Gross recovered money of this source divided by all gross recovered money.",
    ),
    _rate(
        "share_of_at_risk",
        "Share of at risk",
        Kind.RATE_OF_MONEY,
        "Gross recovered money of this source divided by the money at risk, open cases included.",
    ),
    GROSS,
    REFUNDED,
    DISPUTED,
    _money("kept_minor", "Kept", "Gross less refunded and disputed; fees are not known by source."),
)


def _tries(which: str, of: str) -> tuple[Column, ...]:
    return (
        _count(
            "attempts", "Attempts", f"The engine's own charges {which} that reached, or may have reached, the network."
        ),
        _count("succeeded", "Succeeded", "Those of them that brought the money."),
        _count("open", "Open", "Those of them whose outcome is not known yet."),
        _rate(
            "success_rate",
            "Success rate",
            Kind.RATE_OF_COUNT,
            f"Succeeded attempts divided by all attempts of this {of}, open ones included.",
        ),
        GROSS,
    )


ATTEMPT: Final = _tries("of this number", "number")
HOURS: Final = _tries("in this hour of the issuer's local week", "hour")

RESTATED: Final = (
    _money("first_minor", "As closed", "The figure as it was when the month was closed."),
    _money("now_minor", "Now", "The same figure as the ledger gives it now."),
    _money("restated_minor", "Restated by", "Now less as closed: what later refunds, disputes and payments changed."),
)
