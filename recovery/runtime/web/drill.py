"""Where a figure leads. Without it each template would build its own addresses, and some would lead to other cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from recovery.cases.holdout import Arm
from recovery.reporting.figures import WEEKDAYS
from recovery.reporting.period import month_end
from recovery.reporting.report import View
from recovery.reporting.table import TOTAL, Row, Table
from recovery.reporting.views import CUTS
from recovery.storage.churn_queries import Which
from recovery.storage.past_queries import Billed
from recovery.storage.report_sums import Cut, Only

OF_CASES: Final = {
    "recovered_cases": "state=recovered",
    "credited_cases": "state=recovered&money=credited",
    "unwritten_cases": "state=recovered&money=credited&emails=0",
    "rate_by_count": "state=recovered",
    "days_to_recovery": "state=recovered",
    "monthly_minor": "state=recovered",
    "open_cases": "state=open",
    "open_minor": "state=open",
    "lost_cases": "state=lost",
    "lost_minor": "state=lost",
    "withdrawn_cases": "state=withdrawn",
    "withdrawn_minor": "state=withdrawn",
    "rate_by_value": "money=recovered",
    "recovered_minor": "money=recovered",
    "net_minor": "money=recovered",
    "one_off_minor": "money=recovered&contract=one-off",
    "credited_rate_by_value": "money=credited",
    "credited_minor": "money=credited",
    "refunded_minor": "money=refunded",
    "disputed_minor": "money=disputed",
    "fee_minor": "money=fee",
}
"""Which cases of a cohort are behind a figure; all of them behind any other. What an address has already stays."""

KINDS: Final = {
    "failed_cases": ("at_risk",),
    "at_risk_minor": ("at_risk",),
    "recovered_cases": ("recovered",),
    "recovered_minor": ("recovered",),
    "credited_minor": ("recovered",),
    "refunded_minor": ("refunded", "refund_failed"),
    "disputed_minor": ("dispute_opened", "dispute_won", "dispute_lost"),
    "fee_minor": ("fee", "fee_returned"),
    "net_minor": (
        "recovered",
        "refunded",
        "refund_failed",
        "dispute_opened",
        "dispute_won",
        "dispute_lost",
        "fee",
        "fee_returned",
    ),
    "lost_minor": ("written_off", "reinstated"),
    "withdrawn_minor": ("withdrawn", "reinstated"),
}
"""The kinds of ledger entries behind the figures by cash date."""


CHURN: Final = {
    "customers": Which.ALL,
    "monthly_minor": Which.ALL,
    "customer_churn": Which.LEFT,
    "revenue_churn": Which.LEFT,
    "left_minor": Which.LEFT,
    "voluntary_churn": Which.VOLUNTARY,
    "revenue_voluntary": Which.VOLUNTARY,
    "involuntary_churn": Which.INVOLUNTARY,
    "revenue_involuntary": Which.INVOLUNTARY,
    "involuntary_minor": Which.INVOLUNTARY,
    "contraction_minor": Which.CHANGED,
    "expansion_minor": Which.CHANGED,
    "net_revenue_churn": Which.NET,
    "net_voluntary": Which.NET_VOLUNTARY,
}
"""The subscriptions behind the figures of churn."""

SAVED: Final = {
    "involuntary_without": "&state=recovered&money=credited",
    "involuntary_measured": "",
    "saved_minor": "&state=recovered&money=credited",
}
"""Figures of churn that rest on cases: what of the month's failed renewals the engine recovered, or all of them."""

INVOICES: Final = {
    "invoices": Billed.ALL,
    "billed_minor": Billed.ALL,
    "failed_share": Billed.FAILED,
    "failed_value": Billed.FAILED,
    "unpaid_share": Billed.UNPAID,
    "unpaid_value": Billed.UNPAID,
}
"""The invoices behind the figures of renewals."""


@dataclass(frozen=True, slots=True)
class Drill:
    """The addresses behind one row's figures; what they share is worked out once, for a page has thousands.

    ``known`` are the figures that lead somewhere, each with what its address has besides; ``otherwise`` is for all others.
    """

    base: str
    known: Mapping[str, str]
    otherwise: bool = False

    def of(self, column: str) -> str | None:
        """The address of what lies behind a figure; None where it stands for no list."""
        if column in self.known:
            return f"{self.base}{self.known[column]}"
        return self.base if self.otherwise else None


_CASH: Final = {name: f"&figure={name}" for name in KINDS}
_MONEY_BACK: Final = {name: OF_CASES[name] for name in ("refunded_minor", "disputed_minor")}
_NOWHERE: Final = Drill("", {})


def drilled(table: Table, row: Row, asked: Mapping[str, str]) -> Drill:
    """What lies behind the figures of a row. ``asked`` is the page's own period and keys."""
    kept = {name: value for name, value in asked.items() if value and name != "by"} | {"currency": row.currency}
    match table.name:
        case View.CASH | View.CONVERTED:
            if table.name == View.CONVERTED:
                kept.pop("currency")
            return Drill("/report/entries?" + urlencode(kept if row.key == TOTAL else _of_month(kept, row.key)), _CASH)
        case View.RESTATED:
            return _restated(row, kept)
        case View.CHURN:
            return _churned(row, kept)
        case View.PROOF:
            return _proved(kept)
        case View.RENEWALS:
            query = urlencode(_of_month(kept, row.key))
            return Drill("", {name: f"/report/invoices?{query}&which={which}" for name, which in INVOICES.items()})
        case View.PENALTIES:
            named = {} if row.key == TOTAL else {"penalty": row.key}
            return Drill("/report/attempts?" + urlencode(kept | named), {}, True)
    wanted = kept | _key(table.name, row.key)
    of_cases = {View.SOURCE: _MONEY_BACK}.get(View(table.name), OF_CASES if View(table.name) in CUTS else {})
    known = {name: _besides(wanted, query) for name, query in of_cases.items()}
    return Drill("/report/cases?" + urlencode(wanted), known, True)


def _besides(wanted: Mapping[str, str], query: str) -> str:
    """What a figure's address has besides; a key that the row has already is not asked for twice."""
    return "".join(f"&{part}" for part in query.split("&") if part.partition("=")[0] not in wanted)


def hour_address(slot: int, asked: Mapping[str, str]) -> str:
    """The cases with an attempt in an hour of the issuer's week, all currencies together."""
    kept = {name: value for name, value in asked.items() if value and name != "by"}
    return "/report/cases?" + urlencode(kept | {Only.HOUR.value: str(slot)})


def _of_month(kept: Mapping[str, str], month: str) -> dict[str, str]:
    return {name: value for name, value in kept.items() if name not in ("from", "to")} | {"month": month}


def _restated(row: Row, kept: Mapping[str, str]) -> Drill:
    """The bookings of the closed month, late ones for the difference; by cohort its cases as they are now."""
    month, _, words = row.key.partition(" ")
    name, _, basis = words.partition(", by ")
    kept = _of_month(kept, month)
    if basis == "cohort":
        return Drill("/report/cases?" + urlencode(kept), {}, True)
    figure = name.replace(" ", "_") + "_minor"
    if figure not in KINDS or basis != "cash date":
        return _NOWHERE  # a month closed in another time zone has other days than its page here
    base = "/report/entries?" + urlencode(kept | {"figure": figure})
    return Drill(base, {"restated_minor": "&late=1"}, True)


def _churned(row: Row, kept: Mapping[str, str]) -> Drill:
    month, _, contract = row.key.partition(" ")
    query = urlencode(_of_month(kept, month) | {"contract": contract})
    known = {name: f"/report/subscriptions?{query}&which={which.value}" for name, which in CHURN.items()}
    return Drill("", known | {name: f"/report/cases?{query}{more}" for name, more in SAVED.items()})


def _proved(kept: Mapping[str, str]) -> Drill:
    """All measured cases of an arm up to the period's end, as the figures have them; the newest thirty days are listed too."""
    ends = {"to": month_end(kept["month"])} if "month" in kept else {}
    kept = {name: value for name, value in kept.items() if value and name not in ("from", "month")} | ends
    arms = "/report?" + urlencode(kept | {"from": "1970-01-01", "by": View.ARM.value})
    measured = [f"{what}_{by}" for what in ("uplift", "low", "high", "said") for by in ("count", "value")]
    known = dict.fromkeys(["lot", "balance", *measured], arms)
    for arm in Arm:
        address = "/report/cases?" + urlencode(kept | {"from": "1970-01-01", Cut.ARM.value: arm.value})
        known |= {f"{arm.value}_{name}": address for name in ("customers", "count", "value")}
    return Drill("", known)


def _key(view: str, key: str) -> dict[str, str]:
    if key == TOTAL:
        return {}
    if view == View.SOURCE:
        return {Only.SOURCE.value: key}
    if view == View.ATTEMPT:
        return {Only.ATTEMPT.value: key}
    if view == View.HOURS:
        day, hour = key.split()
        return {Only.HOUR.value: str(WEEKDAYS.index(day) * 24 + int(hour))}
    cut = CUTS[View(view)]
    # The address's own month is the period; the cohort's is one key among others.
    return {"cohort" if cut is Cut.MONTH else cut.value: key}
