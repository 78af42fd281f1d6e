"""Imported subscriptions and how far their import came. Without the place kept an interrupted import would begin anew for ever."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.cases.subscription import SeenSubscription
from recovery.storage.forgetting import ERASED, unless_forgotten
from recovery.storage.past_tables import subscription_changes
from recovery.storage.subscription_tables import imports, subscriptions

_MONTH_DAYS: Final = Decimal("30.4375")
_PER_MONTH: Final = {
    "month": Decimal(1),
    "year": 1 / Decimal(12),
    "week": _MONTH_DAYS / 7,
    "day": _MONTH_DAYS,
}
"""Renewals in a mean month."""

_LOCK: Final = 7_346_024
"""Advisory lock number under which subscriptions are kept."""

_SEVERAL: Final = """
UPDATE subscriptions s SET several = true
WHERE NOT several AND customer = ANY(:customers) AND EXISTS (
    SELECT 1 FROM subscriptions o
    WHERE o.customer = s.customer AND o.currency = s.currency AND o.id <> s.id
)"""
_FIRST_SEEN: Final = """
SELECT c.id FROM cases c WHERE c.subscription = ANY(:ids) AND c.subscribed_at IS NULL
AND NOT EXISTS (SELECT 1 FROM subscriptions p WHERE p.id = c.subscription)"""
"""Cases whose tenure the subscription tells: their lines of figures are to be made anew."""


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


def save_subscriptions(
    tx: Connection, seen: Collection[SeenSubscription], *, read_at: datetime, at: datetime | None = None
) -> None:
    """Keep subscriptions as they were read; reading one again replaces it, and a changed price is noted at the business instant ``at``.

    ``at`` None takes ``read_at``, the machine's.
    """
    rows = {one.id: _row(one, read_at) for one in seen}
    if not rows:
        return
    # Two that keep subscriptions of one customer beside each other would each believe theirs to be the only one.
    tx.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
    _note_changes(tx, rows, at=at or read_at)
    statement = pg_insert(subscriptions)
    read = statement.excluded
    new: dict[str, Any] = {name: read[name] for name in next(iter(rows.values())) if name != "id"}
    new |= unless_forgotten(subscriptions, read)
    late = tx.execute(text(_FIRST_SEEN), {"ids": list(rows)}).scalars().all()
    tx.execute(statement.on_conflict_do_update(index_elements=["id"], set_=new), list(rows.values()))
    tx.execute(text(_SEVERAL), {"customers": sorted({one.customer for one in seen})})
    if late:
        tx.execute(text("INSERT INTO report_stale (case_id) SELECT unnest(CAST(:cases AS text[]))"), {"cases": late})


def _note_changes(tx: Connection, rows: dict[str, dict[str, Any]], *, at: datetime) -> None:
    known = select(subscriptions.c.id, subscriptions.c.monthly_minor).where(
        subscriptions.c.id.in_(rows), subscriptions.c.ended_at.is_(None)
    )
    changed = [
        {"subscription": name, "at": at, "before_minor": before, "after_minor": rows[name]["monthly_minor"]}
        for name, before in tx.execute(known)
        if before != rows[name]["monthly_minor"] and rows[name]["ended_at"] is None
    ]
    if changed:
        tx.execute(pg_insert(subscription_changes).on_conflict_do_nothing(), changed)


def current_customers(tx: Connection, *, behind: str | None, limit: int) -> list[tuple[str, str]]:
    """Customers with a subscription that has not ended, by id behind another, each with one such subscription; nobody forgotten."""
    query = (
        select(subscriptions.c.customer, func.min(subscriptions.c.id))
        .where(subscriptions.c.ended_at.is_(None), subscriptions.c.customer > (behind or ""))
        .where(~subscriptions.c.customer.startswith(f"{ERASED}_", autoescape=True))
        .group_by(subscriptions.c.customer)
        .order_by(subscriptions.c.customer)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in tx.execute(query)]


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
