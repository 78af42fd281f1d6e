"""Months that were closed, with their figures as they were then. Without them nobody could tell a restatement from a first figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, text

from recovery.storage.report_tables import closed_months
from recovery.storage.tables import ledger

Figures = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Table (cohort, cash), currency, figure: counts and minor units."""


class AlreadyClosed(ValueError):
    """The month was closed before; what changed since is a restatement and needs no closing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedMonth:
    """One closed month. ``last_entry`` is the newest ledger entry that its figures contain."""

    month: str
    zone: str
    closed_at: datetime
    closed_by: str
    last_entry: int
    figures: Figures


def hold_ledger(tx: Connection) -> int:
    """Let nobody book until this transaction ends, and tell the newest entry: figures read now contain exactly the entries up to it."""
    # In the order in which a decision writes them: the other way round each would wait for the other.
    tx.execute(text("LOCK TABLE cases, ledger IN SHARE MODE"))
    return int(tx.execute(select(func.coalesce(func.max(ledger.c.id), 0))).scalar_one())


def save_closing(tx: Connection, closed: ClosedMonth, *, reconciled: Mapping[str, Any] | None) -> None:
    """Keep a closed month. Raises AlreadyClosed."""
    if any(other.month == closed.month for other in read_closings(tx)):
        raise AlreadyClosed(f"{closed.month} is closed already; later bookings are shown beside its first figures")
    row = {name: getattr(closed, name) for name in ClosedMonth.__dataclass_fields__}
    tx.execute(insert(closed_months).values(row | {"reconciled": reconciled}))


def read_closings(tx: Connection) -> list[ClosedMonth]:
    """All closed months, oldest first."""
    names = list(ClosedMonth.__dataclass_fields__)
    query = select(*(closed_months.c[name] for name in names)).order_by(closed_months.c.month)
    return [ClosedMonth(**row) for row in tx.execute(query).mappings()]
