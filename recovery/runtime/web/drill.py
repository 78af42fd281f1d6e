"""Where a figure leads. Without it each template would build its own addresses, and some would lead to other cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from recovery.reporting.figures import WEEKDAYS
from recovery.reporting.report import View
from recovery.reporting.table import TOTAL, Row, Table
from recovery.reporting.views import CUTS
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


@dataclass(frozen=True, slots=True)
class Drill:
    """The addresses behind one row's figures; what they share is worked out once, for a page has thousands."""

    cash: bool
    base: str
    states: bool

    def of(self, column: str) -> str | None:
        """The address of what lies behind a figure; None where it stands for no list."""
        if not self.base:
            return None
        if self.cash:
            return f"{self.base}&figure={column}" if column in KINDS else None
        return f"{self.base}&state={STATES[column]}" if self.states and column in STATES else self.base


def drilled(table: Table, row: Row, asked: Mapping[str, str]) -> Drill:
    """What lies behind the figures of a row. ``asked`` is the page's own period and keys."""
    kept = {name: value for name, value in asked.items() if value and name != "by"}
    kept["currency"] = row.currency
    if table.name == View.CASH:
        if row.key != TOTAL:
            kept = {name: value for name, value in kept.items() if name not in ("from", "to")} | {"month": row.key}
        return Drill(True, "/report/entries?" + urlencode(kept), False)
    narrowed = _key(table.name, row.key)
    base = "/report/cases?" + urlencode(kept | narrowed) if narrowed is not None else ""
    return Drill(False, base, View(table.name) in CUTS)


def _key(view: str, key: str) -> dict[str, str] | None:
    if view in (View.RESTATED, View.CHURN, View.CONVERTED, View.PROOF, View.RENEWALS, View.PENALTIES):
        return None
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
