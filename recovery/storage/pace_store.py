"""A pace that all workers share. Without it ten thousand emails due at once would leave at once, and be taken for spam."""

from datetime import timedelta

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.storage.mail_tables import paces
from recovery.storage.moment import Moment

EMAILS = "emails"
"""The one pace there is."""


def take_places(tx: Connection, name: str, pace: tuple[float, float], *, wanted: int, moment: Moment) -> int:
    """How many of the wanted places the pace has left (``pace``: per second, and at most at once); they are taken.

    The row tells from when on the next place is free. Machine time: a mail server knows no other.
    """
    per_second, burst = pace
    now = moment.machine_now
    full = now - timedelta(seconds=burst / per_second)
    tx.execute(pg_insert(paces).values(name=name, free_at=full).on_conflict_do_nothing())
    free_at = tx.execute(select(paces.c.free_at).where(paces.c.name == name).with_for_update()).scalar_one()
    earliest = max(free_at, full)
    # A machine clock that was set back leaves the row in the future: no place until it is caught up with.
    left = max(int((now - earliest).total_seconds() * per_second + 1e-6), 0)
    taken = min(left, wanted)
    if taken:
        moved = earliest + timedelta(seconds=taken / per_second)
        tx.execute(update(paces).where(paces.c.name == name).values(free_at=moved))
    return taken


def resting(tx: Connection, name: str, *, moment: Moment) -> bool:
    """Whether the next place is further ahead than any place taken could have moved it; the row is ours until the transaction ends."""
    free_at = tx.execute(select(paces.c.free_at).where(paces.c.name == name).with_for_update()).scalar_one_or_none()
    return free_at is not None and free_at > moment.machine_now


def rest(tx: Connection, name: str, *, seconds: float, moment: Moment) -> None:
    """No place for so long; 0 ends a rest."""
    row = {"name": name, "free_at": moment.machine_now + timedelta(seconds=seconds)}
    tx.execute(pg_insert(paces).values(row).on_conflict_do_update(index_elements=["name"], set_=row))
