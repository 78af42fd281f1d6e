"""The ledger as it is compared with the gateway's own lists. Without it the comparison would know the tables."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select

from recovery.cases.lifecycle import EntryKind
from recovery.money import Money
from recovery.storage.tables import cases, ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedEntry:
    """One ledger entry."""

    case_id: str
    kind: EntryKind
    ref: str
    charge_id: str | None
    amount: Money
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownObligation:
    """An obligation that has a case."""

    case_id: str
    failed_at: datetime


def entries_between(tx: Connection, start: datetime, end: datetime) -> list[BookedEntry]:
    """Everything that occurred in a stretch, but what is at risk and how cases ended."""
    moved = [kind for kind in EntryKind if kind not in _NO_MOVEMENT]
    query = _ENTRIES.where(ledger.c.kind.in_(moved), ledger.c.occurred_at >= start, ledger.c.occurred_at < end)
    return [_entry(row) for row in tx.execute(query.order_by(ledger.c.id)).mappings()]


def entries_of_charges(tx: Connection, charges: Collection[str]) -> list[BookedEntry]:
    """Everything booked for some charges."""
    query = _ENTRIES.where(ledger.c.charge_id.in_(charges), ledger.c.kind.notin_(_NO_MOVEMENT))
    return [_entry(row) for row in tx.execute(query.order_by(ledger.c.id)).mappings()]


def open_disputes(tx: Connection, before: datetime) -> list[BookedEntry]:
    """Disputes that were opened before an instant and have no end in the ledger."""
    ended = ledger.alias()
    ends = select(ended.c.id).where(
        ended.c.case_id == ledger.c.case_id,
        ended.c.ref == ledger.c.ref,
        ended.c.kind.in_([EntryKind.DISPUTE_WON, EntryKind.DISPUTE_LOST]),
    )
    query = _ENTRIES.where(ledger.c.kind == EntryKind.DISPUTE_OPENED, ledger.c.occurred_at < before, ~ends.exists())
    return [_entry(row) for row in tx.execute(query).mappings()]


def customers_with_cases(tx: Connection, customers: Collection[str]) -> set[str]:
    """Which of these customers ever had a case."""
    return set(tx.execute(select(cases.c.customer).where(cases.c.customer.in_(customers)).distinct()).scalars())


def obligation_known(tx: Connection, obligation: str) -> KnownObligation | None:
    """The case of an obligation, if it has one."""
    row = tx.execute(select(cases.c.id, cases.c.failed_at).where(cases.c.obligation == obligation)).first()
    return None if row is None else KnownObligation(case_id=row[0], failed_at=row[1])


_NO_MOVEMENT = (
    EntryKind.AT_RISK,
    EntryKind.AT_RISK_CHANGED,
    EntryKind.WRITTEN_OFF,
    EntryKind.WITHDRAWN,
    EntryKind.REINSTATED,
)
_ENTRIES = select(
    ledger.c.case_id,
    ledger.c.kind,
    ledger.c.ref,
    ledger.c.charge_id,
    ledger.c.amount_minor,
    ledger.c.currency,
    ledger.c.occurred_at,
)


def _entry(row: RowMapping) -> BookedEntry:
    return BookedEntry(
        case_id=row["case_id"],
        kind=EntryKind(row["kind"]),
        ref=row["ref"],
        charge_id=row["charge_id"],
        amount=Money(minor=row["amount_minor"], currency=row["currency"]),
        occurred_at=row["occurred_at"],
    )
