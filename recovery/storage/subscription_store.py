"""Imported subscriptions and how far their import came. Without the place kept an interrupted import would begin anew for ever."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.cases.subscription import SeenSubscription
from recovery.storage.subscription_tables import imports, subscriptions

_MONTH_DAYS: Final = Decimal("30.4375")
_PER_MONTH: Final = {
    "month": Decimal(1),
    "year": 1 / Decimal(12),
    "week": _MONTH_DAYS / 7,
    "day": _MONTH_DAYS,
}
"""Renewals in a mean month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an import came. ``behind`` is None before the first page and after the last."""

    behind: str | None
    read: int
    begun_at: datetime
    finished_at: datetime | None


def monthly_minor(seen: SeenSubscription) -> int:
    """The price as monthly revenue; zero where it does not say how often it is paid."""
    rate = _PER_MONTH.get(seen.interval or "", Decimal(0)) / seen.interval_count
    return int((seen.amount_minor * rate).quantize(Decimal(1), ROUND_HALF_UP))


def save_subscriptions(tx: Connection, seen: Collection[SeenSubscription], *, read_at: datetime) -> None:
    """Keep subscriptions as they were read; reading one again replaces it."""
    rows = {one.id: _row(one, read_at) for one in seen}
    if not rows:
        return
    statement = pg_insert(subscriptions)
    new = {column.name: statement.excluded[column.name] for column in subscriptions.columns if column.name != "id"}
    tx.execute(statement.on_conflict_do_update(index_elements=["id"], set_=new), list(rows.values()))


def progress_of(tx: Connection, name: str) -> Progress | None:
    """How far an import came; None before the first."""
    row = tx.execute(select(imports).where(imports.c.name == name).with_for_update()).mappings().first()
    if row is None:
        return None
    return Progress(**{field: row[field] for field in Progress.__dataclass_fields__})


def save_progress(tx: Connection, name: str, progress: Progress) -> None:
    """Keep how far an import came."""
    row: dict[str, Any] = {field: getattr(progress, field) for field in Progress.__dataclass_fields__}
    statement = pg_insert(imports).values(name=name, **row)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))


def _row(seen: SeenSubscription, read_at: datetime) -> dict[str, Any]:
    every = seen.interval or "unknown"
    return {
        "id": seen.id,
        "customer": seen.customer,
        "currency": seen.currency,
        "monthly_minor": monthly_minor(seen),
        "contract": every if seen.interval_count == 1 else f"{seen.interval_count} x {every}",
        "started_at": seen.started_at,
        "ended_at": seen.ended_at,
        "ended_because": seen.ended_because,
        "read_at": read_at,
    }
