"""Brings in the gateway's subscriptions. Without them churn would have no denominator until every customer had failed once."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy import Engine

from recovery.gateways.port import Gateway
from recovery.storage.subscription_store import Progress, progress_of, save_progress, save_subscriptions

SUBSCRIPTIONS: Final = "subscriptions"


def import_subscriptions(
    database: Engine, gateway: Gateway, *, machine_clock: Callable[[], datetime], wait: Callable[[], None]
) -> Progress:
    """Read all subscriptions, page by page, and keep each page with the place where the next begins.

    Interrupted, it goes on from that place; finished, the next run reads everything again and replaces what changed. ``wait`` is
    called before each page, for the gateway's rate limit. Raises the gateway's and the database's errors.
    """
    begun_at = machine_clock()
    with database.begin() as tx:
        progress = progress_of(tx, SUBSCRIPTIONS)
    if progress is None or progress.finished_at is not None:
        progress = Progress(behind=None, read=0, begun_at=begun_at, finished_at=None)
    while progress.finished_at is None:
        wait()
        page = gateway.subscriptions_page(behind=progress.behind)
        now = machine_clock()
        progress = Progress(
            behind=page.last,
            read=progress.read + len(page.subscriptions),
            begun_at=progress.begun_at,
            finished_at=None if page.last is not None else now,
        )
        with database.begin() as tx:
            save_subscriptions(tx, page.subscriptions, read_at=now)
            save_progress(tx, SUBSCRIPTIONS, progress)
    return progress
