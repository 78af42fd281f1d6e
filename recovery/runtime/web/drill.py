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
from recovery.storage.report_sums import Cut, Only

STATES: Final = {
    "recovered_cases": "recovered",
    "credited_cases": "recovered",
    "unwritten_cases": "recovered",
    "recovered_minor": "recovered",
    "open_cases": "open",
    "open_minor": "open",
    "lost_cases": "lost",
    "lost_minor": "lost",
    "withdrawn_cases": "withdrawn",
    "withdrawn_minor": "withdrawn",
}
"""Figures of a cohort that are about the cases in one state."""

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
}
"""The subscriptions behind the figures of churn; net figures have two lists and lead to neither."""

SAVED: Final = ("involuntary_without", "saved_minor")
"""Figures of churn that rest on recovered cases."""


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
_STATES: Final = {name: f"&state={state}" for name, state in STATES.items()}
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
        case View.RENEWALS | View.PENALTIES:
            return _NOWHERE
    base = "/report/cases?" + urlencode(kept | _key(table.name, row.key))
    return Drill(base, _STATES if View(table.name) in CUTS else {}, True)


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
    if figure not in KINDS:
        return _NOWHERE
    base = "/report/entries?" + urlencode(kept | {"figure": figure})
    return Drill(base, {"restated_minor": "&late=1"}, True)


def _churned(row: Row, kept: Mapping[str, str]) -> Drill:
    month, _, contract = row.key.partition(" ")
    query = urlencode(_of_month(kept, month) | {"contract": contract})
    saved = f"/report/cases?{query}&state=recovered"
    known = {name: f"/report/subscriptions?{query}&which={which.value}" for name, which in CHURN.items()}
    return Drill("", known | dict.fromkeys(SAVED, saved))


def _proved(kept: Mapping[str, str]) -> Drill:
    """All measured cases of an arm up to the period's end, as the figures have them; the newest thirty days are listed too."""
    ends = {"to": month_end(kept["month"])} if "month" in kept else {}
    kept = {name: value for name, value in kept.items() if value and name not in ("from", "month")} | ends
    known: dict[str, str] = {}
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
