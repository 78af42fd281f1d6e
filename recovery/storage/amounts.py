"""Orders claimed tries by what is at stake. Without it a rate limit would hold back the large amounts as long as the small ones."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from recovery.money import exponent
from recovery.storage.step_store import ClaimedStep
from recovery.storage.tables import cases


def dearest_first(tx: Connection, claimed: Sequence[ClaimedStep]) -> list[ClaimedStep]:
    """The same steps, the greatest amount first, of equals the one due first.

    Amounts are compared in main units, whatever the currency: an order of performing needs no exchange rate.
    """
    if len(claimed) < 2:
        return list(claimed)
    owed = select(cases.c.id, cases.c.amount_minor, cases.c.currency).where(
        cases.c.id.in_({s.case_id for s in claimed})
    )
    amounts = {row.id: row.amount_minor / 10 ** exponent(row.currency) for row in tx.execute(owed)}
    return sorted(claimed, key=lambda step: (-amounts[step.case_id], step.due_at, step.id))
