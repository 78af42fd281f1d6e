"""Lets a customer go who wants to leave. Without it other invoices of that subscription would be charged after the goodbye."""

from recovery.cases.facts import CustomerLeft
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.storage.case_store import open_beside
from recovery.storage.connect import reading


def leave(door: Door, case_id: str, because: str) -> None:
    """End the case and all open ones of its subscription. Its own comes last: after a crash in between its page still takes the wish.

    Raises NoSuchCase, and the database's errors when it is away.
    """
    with reading(door.database) as tx:
        beside = open_beside(tx, case_id)
    for each in (*beside, case_id):
        advance(door, each, CustomerLeft(because=because))
