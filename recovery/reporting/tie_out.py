"""The ledger against the gateway's own lists. Without it finance would sign what the engine believes, not what the bank will show."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final, TypeVar

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

LATE: Final = timedelta(days=31)
"""How far before a month its lists begin: a bank's debit takes days, a refund fails up to a month later
(docs.stripe.com/refunds, "Failed refunds"). What comes of them then is in nobody's month unless it is looked for."""


class Cause(StrEnum):
    """Why ledger and gateway differ."""

    NOT_BOOKED = "not booked"
    NOT_AT_GATEWAY = "not at the gateway"
    AMOUNT = "another amount"
    END = "ended otherwise"
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
    Cause.END: "the gateway tells another end of this refund or dispute: ask it which holds",
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
    since = span.start - LATE
    for batch in _in_batches(c for c in gateway.charges_between(since, span.end) if c.succeeded):
        charges += sum(charge.created_at >= span.start for charge in batch)
        differences += _charges(database, gateway, batch, seen)
    for group in _in_batches(gateway.reversals_between(since, span.end)):
        reversals += sum(one.occurred_at >= span.start for one in group)
        differences += _reversals(database, group, span.start, seen)
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


def _reversals(
    database: Engine, group: tuple[SeenReversal, ...], start: datetime, seen: set[Key]
) -> Iterator[Difference]:
    booked = _entries(database, (one.charge_id for one in group))
    for one in group:
        paid = booked.get((EntryKind.RECOVERED, one.charge_id))
        if paid is None:
            continue  # of money that was never recovered by anybody here
        kinds = _expected if one.occurred_at >= start else _ends
        for kind in kinds(one.status, dispute=one.dispute):
            seen.add((kind, one.id))
            yield from _compared((kind, one.id), booked, one.amount, paid.case_id)


def _expected(status: str, *, dispute: bool) -> tuple[EntryKind, ...]:
    """What a refund or dispute that stands like this must have led to."""
    return (EntryKind.DISPUTE_OPENED if dispute else EntryKind.REFUNDED, *_ends(status, dispute=dispute))


def _ends(status: str, *, dispute: bool) -> tuple[EntryKind, ...]:
    """How it ended, if it did."""
    if not dispute:
        return (EntryKind.REFUND_FAILED,) if status in FAILED_REFUND else ()
    if status not in CLOSED_DISPUTE:
        return ()
    return (EntryKind.DISPUTE_WON if status in WON_DISPUTE else EntryKind.DISPUTE_LOST,)


def _old_disputes(database: Engine, gateway: Gateway, span: Span, seen: set[Key]) -> Iterator[Difference]:
    """Disputes of months long ago: their end may fall into this one."""
    with database.connect() as tx:
        waiting = [entry for entry in open_disputes(tx, span.start) if entry.charge_id is not None]
    for entry in waiting:
        assert entry.charge_id is not None
        booked = _entries(database, [entry.charge_id])
        _, disputes = gateway.read_reversals(entry.charge_id)
        for found in (one for one in disputes if one.id == entry.ref):
            for key in ((kind, found.id) for kind in _ends(found.status, dispute=True)):
                if key not in seen:
                    yield from _compared(key, booked, found.amount, entry.case_id)
                seen.add(key)


def _unseen(gateway: Gateway, booked: Iterable[BookedEntry], seen: set[Key]) -> Iterator[Difference]:
    """What the ledger has and no list of these days showed: made earlier and ended now, or not there at all."""
    for entry in booked:
        if (entry.kind, entry.ref) in seen or entry.kind in (EntryKind.FEE, EntryKind.FEE_RETURNED):
            continue
        found = _read_singly(gateway, entry)
        if found is None:
            yield _difference(Cause.NOT_AT_GATEWAY, entry, None)
            continue
        amount, kinds = found
        if entry.kind not in kinds:
            yield _difference(Cause.END, entry, amount)
        else:
            yield from _amounts(entry, amount)


def _read_singly(gateway: Gateway, entry: BookedEntry) -> tuple[Money, tuple[EntryKind, ...]] | None:
    """The amount at the gateway, and what kinds of entries its charge, refund or dispute must have led to."""
    try:
        if entry.kind is EntryKind.RECOVERED:
            charge = gateway.read_charge(entry.ref)
            return (charge.amount, (entry.kind,)) if charge.succeeded else None
        refunds, disputes = gateway.read_reversals(entry.charge_id or "")
    except NotFound:
        return None
    stands = ((one, dispute) for dispute, some in ((False, refunds), (True, disputes)) for one in some)
    return next(
        ((one.amount, _expected(one.status, dispute=dispute)) for one, dispute in stands if one.id == entry.ref), None
    )


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
