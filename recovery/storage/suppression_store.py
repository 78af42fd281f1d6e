"""Addresses that get nothing any more. Without it a bounced address would be tried again for every case of its owner."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.storage.mail_tables import suppressions


def suppress(tx: Connection, address_hash: str, reason: str, *, at: datetime) -> None:
    """Write to this address no more; the first reason stays."""
    row = {"address_hash": address_hash, "reason": reason, "since": at}
    tx.execute(pg_insert(suppressions).values(row).on_conflict_do_nothing())


def suppressed(tx: Connection, address_hash: str) -> str | None:
    """Why an address gets nothing, or None when it may be written to."""
    return tx.execute(
        select(suppressions.c.reason).where(suppressions.c.address_hash == address_hash)
    ).scalar_one_or_none()


def release(tx: Connection, address_hash: str) -> bool:
    """Let an address be written to again; whether it was on the list."""
    gone = delete(suppressions).where(suppressions.c.address_hash == address_hash).returning(suppressions.c.reason)
    return tx.execute(gone).first() is not None


def suppression_counts(tx: Connection) -> dict[str, int]:
    """How many addresses there are by reason."""
    rows = tx.execute(select(suppressions.c.reason, func.count()).group_by(suppressions.c.reason))
    return {reason: int(count) for reason, count in rows}
