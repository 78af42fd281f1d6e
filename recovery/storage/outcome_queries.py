"""The outcome of a whole run, for judges from outside. Without it the demo would grade itself by its own log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from recovery.cases.lifecycle import OPEN_ATTEMPTS, EntryKind, State
from recovery.storage.mail_tables import emails
from recovery.storage.tables import attempts, cases, exhaustions, journal, ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """One ledger entry, as a judge compares it with the gateway's book."""

    obligation: str
    kind: str
    ref: str
    charge_id: str | None
    source: str | None
    amount_minor: int
    currency: str


def booked(tx: Connection) -> list[Booked]:
    """Every ledger entry."""
    columns = (
        ledger.c.kind,
        ledger.c.ref,
        ledger.c.charge_id,
        ledger.c.source,
        ledger.c.amount_minor,
        ledger.c.currency,
    )
    rows = tx.execute(select(cases.c.obligation, *columns).join(cases, cases.c.id == ledger.c.case_id)).mappings()
    return [Booked(**row) for row in rows]


def obligations(tx: Connection) -> dict[str, datetime]:
    """The obligations that have a case, with the instant at which each failed."""
    return {row[0]: row[1] for row in tx.execute(select(cases.c.obligation, cases.c.failed_at))}


def counts_by(tx: Connection, what: str) -> dict[str, int]:
    """How many rows there are by state: ``cases``, ``attempts`` or ``emails``."""
    column = {"cases": cases.c.state, "attempts": attempts.c.status, "emails": emails.c.status}[what]
    return {str(value): int(count) for value, count in tx.execute(select(column, func.count()).group_by(column))}


def recovered_by_source(tx: Connection) -> dict[str, int]:
    """How many cases were recovered, by where the money came from."""
    query = select(cases.c.source, func.count()).where(cases.c.state == State.RECOVERED).group_by(cases.c.source)
    return {str(source): int(count) for source, count in tx.execute(query)}


def unsettled_attempts(tx: Connection) -> int:
    """Attempts whose outcome nobody knows yet."""
    query = select(func.count()).select_from(attempts).where(attempts.c.status.in_(OPEN_ATTEMPTS))
    return int(tx.execute(query).scalar_one())


def early_emails(tx: Connection) -> list[str]:
    """Emails begun before their case was exhausted. The database refuses them; judged all the same."""
    query = select(emails.c.id).join(exhaustions).where(emails.c.begun_at < exhaustions.c.at)
    return list(tx.execute(query).scalars())


def email_ids(tx: Connection) -> list[tuple[str, str]]:
    """Every email's id with its status."""
    return [(row[0], row[1]) for row in tx.execute(select(emails.c.id, emails.c.status))]


def last_reasons(tx: Connection, *, limit: int) -> Sequence[tuple[datetime, str, str]]:
    """The newest decisions: when, which case, and why."""
    rows = tx.execute(
        select(journal.c.at, journal.c.case_id, journal.c.reason).order_by(journal.c.id.desc()).limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def money_by_kind(tx: Connection) -> list[tuple[str, str, str | None, int]]:
    """Currency, kind, source and minor units, summed; AT_RISK_CHANGED is left out, being no movement."""
    query = (
        select(ledger.c.currency, ledger.c.kind, ledger.c.source, func.sum(ledger.c.amount_minor))
        .where(ledger.c.kind != EntryKind.AT_RISK_CHANGED)
        .group_by(ledger.c.currency, ledger.c.kind, ledger.c.source)
        .order_by(ledger.c.currency, ledger.c.kind, ledger.c.source)
    )
    return [(row[0], row[1], row[2], int(row[3])) for row in tx.execute(query)]
