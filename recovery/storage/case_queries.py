"""What people and monitors ask about cases. Reads only; without it pages and commands would each query the tables their own way."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, text, true, tuple_, union, union_all

from recovery.cases.case import Case
from recovery.cases.grounds import Grounds
from recovery.cases.lifecycle import AttemptStatus, State
from recovery.money import Money
from recovery.storage import codec
from recovery.storage.case_store import NoSuchCase, case_id_of, load_case
from recovery.storage.mail_tables import emails
from recovery.storage.tables import attempts, cases, foreign_charges, journal, ledger, steps


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """One case in a list."""

    id: str
    obligation: str
    customer: str
    amount: Money
    state: State
    failed_at: datetime
    changed_at: datetime
    left_because: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page of the list ends: the next one begins behind it, however many cases came meanwhile."""

    changed_at: datetime
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One fact and what it led to. ``at`` is business time, ``booked_at`` machine time."""

    id: int
    at: datetime
    fact: str
    state: State
    reason: str
    booked_at: datetime
    grounds: Grounds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One order of a case. ``error`` is what its last failure said."""

    kind: str
    state: str
    due_at: datetime
    claims: int
    failures: int
    error: str | None
    set_aside_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One booking on a case."""

    kind: str
    amount: Money
    occurred_at: datetime
    ref: str
    charge_id: str | None
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailLine:
    """One email about a case: that it was written, never to whom."""

    number: int
    letter: int
    template: str
    status: str
    begun_at: datetime
    finished_at: datetime | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """Everything about one case, oldest first."""

    case: Case
    opened_at: datetime
    changed_at: datetime
    timeline: tuple[JournalLine, ...]
    steps: tuple[StepLine, ...]
    bookings: tuple[LedgerLine, ...]
    emails: tuple[EmailLine, ...]


def bounded(tx: Connection, *, seconds: float) -> None:
    """No statement of this transaction may take longer; it fails with OperationalError."""
    tx.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))


def find_case(tx: Connection, reference: str) -> str:
    """The case that a case id, an invoice id or a charge id means. Raises NoSuchCase."""
    found = tx.execute(select(cases.c.id).where(_meant_by(tx, reference, exact=True)).limit(1)).scalar_one_or_none()
    if found is None:
        raise NoSuchCase(f"no case, invoice or charge {reference!r} is known")
    return str(found)


def list_cases(
    tx: Connection,
    *,
    states: Collection[State] = (),
    search: str = "",
    left: bool = False,
    behind: Place | None = None,
    limit: int,
) -> tuple[list[CaseLine], Place | None]:
    """A page of cases, last changed first, and where the next page begins (None after the last).

    ``search`` is a whole customer, subscription, invoice, charge or case id; ``left`` means only those who said that they leave.
    """
    wanted = _meant_by(tx, search, exact=False) if search else true()
    if left:
        wanted &= cases.c.left_because.is_not(None)
    per_state = [_of_state(state, wanted, behind, limit + 1) for state in sorted(states or State)]
    merged = union_all(*(select(part.subquery()) for part in per_state)).subquery()
    query = select(merged).order_by(merged.c.changed_at.desc(), merged.c.id.desc()).limit(limit + 1)
    rows = tx.execute(query).all()
    lines = [
        CaseLine(
            id=row.id,
            obligation=row.obligation,
            customer=row.customer,
            amount=Money(minor=row.amount_minor, currency=row.currency),
            state=State(row.state),
            failed_at=row.failed_at,
            changed_at=row.changed_at,
            left_because=row.left_because,
        )
        for row in rows[:limit]
    ]
    more = len(rows) > limit
    return lines, Place(changed_at=lines[-1].changed_at, id=lines[-1].id) if more else None


def _of_state(state: State, wanted: ColumnElement[bool], behind: Place | None, limit: int) -> Select[Any]:
    """The first rows of one state, straight from its index, so that a million cases cost no sort."""
    query = select(
        cases.c.id,
        cases.c.obligation,
        cases.c.customer,
        cases.c.amount_minor,
        cases.c.currency,
        cases.c.state,
        cases.c.failed_at,
        cases.c.changed_at,
        cases.c.left_because,
    ).where(cases.c.state == state.value, wanted)
    if behind is not None:
        query = query.where(tuple_(cases.c.changed_at, cases.c.id) < tuple_(behind.changed_at, behind.id))
    return query.order_by(cases.c.changed_at.desc(), cases.c.id.desc()).limit(limit)


def _meant_by(tx: Connection, reference: str, *, exact: bool) -> ColumnElement[bool]:
    """What an id may mean. Charges are looked up first, so that every alternative is answered by an index."""
    sought = reference.strip().replace("\x00", "")
    by_charge = union(
        select(ledger.c.case_id).where(ledger.c.charge_id == sought),
        select(attempts.c.case_id).where(attempts.c.charge_id == sought),
        select(foreign_charges.c.case_id).where(foreign_charges.c.charge_id == sought),
    )
    ids = [sought, case_id_of(sought), *tx.execute(by_charge).scalars()]
    if exact:
        return cases.c.id.in_(ids)
    return or_(cases.c.id.in_(ids), cases.c.customer == sought, cases.c.subscription == sought)


def case_file(tx: Connection, case_id: str) -> CaseFile:
    """Everything about one case. Raises NoSuchCase."""
    case = load_case(tx, case_id)
    dates = tx.execute(select(cases.c.opened_at, cases.c.changed_at).where(cases.c.id == case_id)).one()
    return CaseFile(
        case=case,
        opened_at=dates.opened_at,
        changed_at=dates.changed_at,
        timeline=timeline(tx, case_id),
        steps=_steps(tx, case_id),
        bookings=_bookings(tx, case_id),
        emails=_emails(tx, case_id),
    )


def timeline(tx: Connection, case_id: str) -> tuple[JournalLine, ...]:
    """The journal of a case, oldest first."""
    rows = tx.execute(select(journal).where(journal.c.case_id == case_id).order_by(journal.c.id)).mappings()
    return tuple(
        JournalLine(
            id=row["id"],
            at=row["at"],
            fact=row["fact"],
            state=State(row["state"]),
            reason=row["reason"],
            booked_at=row["booked_at"],
            grounds=codec.grounds_from(row["grounds"]),
        )
        for row in rows
    )


def _steps(tx: Connection, case_id: str) -> tuple[StepLine, ...]:
    names = ("kind", "state", "due_at", "claims", "failures", "error", "set_aside_at")
    rows = tx.execute(select(steps).where(steps.c.case_id == case_id).order_by(steps.c.due_at, steps.c.id)).mappings()
    return tuple(StepLine(**{name: row[name] for name in names}) for row in rows)


def _bookings(tx: Connection, case_id: str) -> tuple[LedgerLine, ...]:
    rows = tx.execute(select(ledger).where(ledger.c.case_id == case_id).order_by(ledger.c.id)).mappings()
    return tuple(
        LedgerLine(
            kind=row["kind"],
            amount=Money(minor=row["amount_minor"], currency=row["currency"]),
            occurred_at=row["occurred_at"],
            ref=row["ref"],
            charge_id=row["charge_id"],
            source=row["source"],
        )
        for row in rows
    )


def _emails(tx: Connection, case_id: str) -> tuple[EmailLine, ...]:
    names = ("number", "letter", "template", "status", "begun_at", "finished_at", "detail")
    rows = tx.execute(select(emails).where(emails.c.case_id == case_id).order_by(emails.c.number)).mappings()
    return tuple(EmailLine(**{name: row[name] for name in names}) for row in rows)


def cases_by_state(tx: Connection) -> dict[str, int]:
    """How many cases are in each state; all states are named."""
    found = {
        name: int(count) for name, count in tx.execute(select(cases.c.state, func.count()).group_by(cases.c.state))
    }
    return {state.value: found.get(state.value, 0) for state in State}


def attempts_by_status(tx: Connection) -> dict[str, int]:
    """How many attempts have each status; all are named."""
    found = {
        name: int(count)
        for name, count in tx.execute(select(attempts.c.status, func.count()).group_by(attempts.c.status))
    }
    return {status.value: found.get(status.value, 0) for status in AttemptStatus}
