"""Policies by version. Without their kept content an edited file would move the cases pinned on the old one."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.storage.tables import policies


def save_policy(tx: Connection, version: str, content: Any, *, machine_now: datetime) -> None:  # noqa: ANN401 - JSON
    """Keep a policy's content for as long as a case is pinned on it."""
    row = {"version": version, "content": content, "loaded_at": machine_now}
    tx.execute(pg_insert(policies).values(row).on_conflict_do_nothing())


def load_policy(tx: Connection, version: str) -> Any:  # noqa: ANN401 - JSON
    """The content of a policy version. Raises sqlalchemy.exc.NoResultFound."""
    return tx.execute(select(policies.c.content).where(policies.c.version == version)).scalar_one()
