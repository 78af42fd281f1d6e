"""Which charges still lack their fee. Without the question asked of the ledger itself a lost reading would stay lost."""

from datetime import datetime

from sqlalchemy import Connection, exists, func, select

from recovery.cases.lifecycle import EntryKind
from recovery.storage.tables import ledger


def charges_without_fee(tx: Connection, *, since: datetime, now: datetime, limit: int) -> list[tuple[str, str]]:
    """Case and charge of recovered money since an instant that no fee is booked for.

    Who comes first changes with ``now``: charges that the gateway never tells a fee of must not stand before all others for ever.
    """
    fee = ledger.alias()
    booked = exists().where(fee.c.case_id == ledger.c.case_id, fee.c.kind == EntryKind.FEE, fee.c.ref == ledger.c.ref)
    query = (
        select(ledger.c.case_id, ledger.c.charge_id)
        .where(ledger.c.kind == EntryKind.RECOVERED, ledger.c.occurred_at >= since, ~booked)
        .order_by(func.md5(func.concat(ledger.c.charge_id, now.isoformat())))
        .limit(limit)
    )
    return [(row[0], row[1]) for row in tx.execute(query)]
