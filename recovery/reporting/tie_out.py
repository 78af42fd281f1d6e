"""The ledger against the gateway's own lists. Without it finance would sign what the engine believes, not what the bank will show."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TypeVar

from sqlalchemy import Engine

from recovery.cases.lifecycle import EntryKind
from recovery.gateways.port import (
    CLOSED_DISPUTE,
    FAILED_REFUND,
    WON_DISPUTE,
    Gateway,
    NotFound,
    SeenCharge,
    SeenReversal,
)
from recovery.money import Money
from recovery.storage.report_sums import Span
from recovery.storage.tie_out_queries import (
    BookedEntry,
    customers_with_cases,
    entries_between,
    entries_of_charges,
    obligation_known,
    open_disputes,
)

BATCH = 500
"""Charges whose bookings are asked for in one query."""


class Cause(StrEnum):
    """Why ledger and gateway differ."""

    NOT_BOOKED = "not booked"
    NOT_AT_GATEWAY = "not at the gateway"
    AMOUNT = "another amount"
    NO_FEE = "fee not booked yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that ledger and gateway tell differently; None where one of them knows nothing of it."""

    cause: Cause
    kind: EntryKind
    ref: str
    case_id: str | None
    booked: Money | None
    at_gateway: Money | None

    @property
    def words(self) -> str:
        """What to make of it."""
        return _WORDS[self.cause]


_WORDS = {
    Cause.NOT_BOOKED: "its event was lost or waits still: `recovery events replay`, or let the gateway send it again",
    Cause.NOT_AT_GATEWAY: "the gateway does not list it: deleted test data, or another account's key",
    Cause.AMOUNT: "the amount changed after it was booked",
    Cause.NO_FEE: "the gateway's balance did not show it yet; a worker asks again every half minute",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TieOut:
    """The outcome: how much was compared, and every difference."""

    charges: int
    reversals: int
    entries: int
    differences: tuple[Difference, ...]

    @property
    def clean(self) -> bool:
        """Whether both tell the same."""
        return not self.differences


Key = tuple[EntryKind, str]
Row = TypeVar("Row")


def tie_out(database: Engine, gateway: Gateway, span: Span) -> TieOut:
    """Compare a span, page by page. Raises the gateway's and the database's errors."""
    with database.connect() as tx:
        booked = entries_between(tx, span.start, span.end)
    seen: set[Key] = set()
    differences: list[Difference] = []
    charges = reversals = 0
    for batch in _in_batches(c for c in gateway.charges_between(span.start, span.end) if c.succeeded):
        charges += len(batch)
        differences += _charges(database, gateway, batch, seen)
    for group in _in_batches(gateway.reversals_between(span.start, span.end)):
        reversals += len(group)
        differences += _reversals(database, group, seen)
    differences += _old_disputes(database, gateway, span, seen)
    differences += _unseen(gateway, booked, seen)
    differences += _without_fee(booked, database)
    return TieOut(charges=charges, reversals=reversals, entries=len(booked), differences=tuple(differences))


def _in_batches(rows: Iterable[Row]) -> Iterator[tuple[Row, ...]]:
    left = iter(rows)
    while batch := tuple(islice(left, BATCH)):
        yield batch


def _entries(database: Engine, charges: Iterable[str]) -> dict[Key, BookedEntry]:
    with database.connect() as tx:
        return {(entry.kind, entry.ref): entry for entry in entries_of_charges(tx, list(charges))}


def _charges(database: Engine, gateway: Gateway, batch: tuple[SeenCharge, ...], seen: set[Key]) -> Iterator[Difference]:
    booked = _entries(database, (charge.id for charge in batch))
    with database.connect() as tx:
        concerned = customers_with_cases(tx, [charge.customer for charge in batch if charge.customer])
    for charge in batch:
        key = (EntryKind.RECOVERED, charge.id)
        seen.add(key)
        if key in booked:
            yield from _amounts(booked[key], charge.amount)
        elif charge.customer in concerned:
            yield from _unbooked(database, gateway, charge)


def _unbooked(database: Engine, gateway: Gateway, charge: SeenCharge) -> Iterator[Difference]:
    """A charge of a customer with a case: it counts if it paid an obligation after that had failed."""
    name = gateway.obligation_of(charge=charge.id)
    with database.connect() as tx:
        known = obligation_known(tx, name) if name is not None else None
    if known is not None and charge.created_at >= known.failed_at:
        yield Difference(
            cause=Cause.NOT_BOOKED,
            kind=EntryKind.RECOVERED,
            ref=charge.id,
            case_id=known.case_id,
            booked=None,
            at_gateway=charge.amount,
        )


def _reversals(database: Engine, group: tuple[SeenReversal, ...], seen: set[Key]) -> Iterator[Difference]:
    booked = _entries(database, (one.charge_id for one in group))
    for one in group:
        paid = booked.get((EntryKind.RECOVERED, one.charge_id))
        if paid is None:
            continue  # of money that was never recovered by anybody here
        for kind in _expected(one):
            seen.add((kind, one.id))
            yield from _compared((kind, one.id), booked, one.amount, paid.case_id)


def _expected(one: SeenReversal) -> tuple[EntryKind, ...]:
    """What a refund or dispute that stands like this must have led to."""
    if not one.dispute:
        return (EntryKind.REFUNDED, EntryKind.REFUND_FAILED) if one.status in FAILED_REFUND else (EntryKind.REFUNDED,)
    if one.status not in CLOSED_DISPUTE:
        return (EntryKind.DISPUTE_OPENED,)
    return EntryKind.DISPUTE_OPENED, EntryKind.DISPUTE_WON if one.status in WON_DISPUTE else EntryKind.DISPUTE_LOST


def _old_disputes(database: Engine, gateway: Gateway, span: Span, seen: set[Key]) -> Iterator[Difference]:
    """Disputes of earlier months: their end may fall into this one."""
    with database.connect() as tx:
        waiting = [entry for entry in open_disputes(tx, span.start) if entry.charge_id is not None]
    for entry in waiting:
        assert entry.charge_id is not None
        booked = _entries(database, [entry.charge_id])
        _, disputes = gateway.read_reversals(entry.charge_id)
        for found in (one for one in disputes if one.id == entry.ref and one.status in CLOSED_DISPUTE):
            kind = EntryKind.DISPUTE_WON if found.status in WON_DISPUTE else EntryKind.DISPUTE_LOST
            seen.add((kind, found.id))
            yield from _compared((kind, found.id), booked, found.amount, entry.case_id)


def _unseen(gateway: Gateway, booked: Iterable[BookedEntry], seen: set[Key]) -> Iterator[Difference]:
    """What the ledger has and no list of these days showed: made earlier and ended now, or not there at all."""
    for entry in booked:
        if (entry.kind, entry.ref) in seen or entry.kind in (EntryKind.FEE, EntryKind.FEE_RETURNED):
            continue
        amount = _read_singly(gateway, entry)
        if amount is None:
            yield _difference(Cause.NOT_AT_GATEWAY, entry, None)
        elif amount != entry.amount:
            yield _difference(Cause.AMOUNT, entry, amount)


def _read_singly(gateway: Gateway, entry: BookedEntry) -> Money | None:
    try:
        if entry.kind is EntryKind.RECOVERED:
            charge = gateway.read_charge(entry.ref)
            return charge.amount if charge.succeeded else None
        refunds, disputes = gateway.read_reversals(entry.charge_id or "")
    except NotFound:
        return None
    return next((one.amount for one in (*refunds, *disputes) if one.id == entry.ref), None)


def _without_fee(booked: Iterable[BookedEntry], database: Engine) -> Iterator[Difference]:
    for batch in _in_batches(entry for entry in booked if entry.kind is EntryKind.RECOVERED):
        fees = _entries(database, (entry.ref for entry in batch))
        for entry in batch:
            if (EntryKind.FEE, entry.ref) not in fees:
                yield Difference(
                    cause=Cause.NO_FEE,
                    kind=EntryKind.FEE,
                    ref=entry.ref,
                    case_id=entry.case_id,
                    booked=None,
                    at_gateway=None,
                )


def _compared(key: Key, booked: dict[Key, BookedEntry], amount: Money, case_id: str) -> Iterator[Difference]:
    entry = booked.get(key)
    if entry is not None:
        yield from _amounts(entry, amount)
        return
    kind, ref = key
    yield Difference(cause=Cause.NOT_BOOKED, kind=kind, ref=ref, case_id=case_id, booked=None, at_gateway=amount)


def _amounts(entry: BookedEntry, amount: Money) -> Iterator[Difference]:
    if entry.amount != amount:
        yield _difference(Cause.AMOUNT, entry, amount)


def _difference(cause: Cause, entry: BookedEntry, amount: Money | None) -> Difference:
    return Difference(
        cause=cause, kind=entry.kind, ref=entry.ref, case_id=entry.case_id, booked=entry.amount, at_gateway=amount
    )
