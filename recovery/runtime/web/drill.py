"""Where a figure leads. Without it each template would build its own addresses, and some would lead to other cases."""

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


def drilled(table: Table, row: Row, column: str, asked: dict[str, str]) -> str | None:
    """The address of what lies behind a figure; None where it stands for no list. ``asked`` is the page's own period and keys."""
    kept = {name: value for name, value in asked.items() if value and name != "by"}
    kept["currency"] = row.currency
    if table.name == View.CASH:
        if row.key != TOTAL:
            kept = {name: value for name, value in kept.items() if name not in ("from", "to")} | {"month": row.key}
        return "/report/entries?" + urlencode(kept | {"figure": column})
    narrowed = _key(table.name, row.key)
    if narrowed is None:
        return None
    if column in STATES and View(table.name) in CUTS:
        narrowed["state"] = STATES[column]
    return "/report/cases?" + urlencode(kept | narrowed)


def _key(view: str, key: str) -> dict[str, str] | None:
    if view == View.RESTATED:
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
