"""Addresses that get nothing any more. Without it a bounced address would be tried again for every case of its owner."""

from datetime import datetime

from sqlalchemy import Connection, delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.cases.case import Case
from recovery.cases.customer_facts import MailStopped, listed
from recovery.cases.lifecycle import OPEN
from recovery.storage.mail_tables import mail_objections, suppressions
from recovery.storage.objection_store import count_objections, objection
from recovery.storage.tables import cases, journal

_OTHER_STOP = (journal.c.fact == MailStopped.__name__) & (journal.c.fact_key != listed("refused").key)
"""The customer unsubscribed or complained, or the address bounced: nothing that mending our own settings could change."""


def suppress(tx: Connection, address_hash: str, reason: str, *, at: datetime) -> None:
    """Write to this address no more; the first reason stays."""
    row = {"address_hash": address_hash, "reason": reason, "since": at}
    tx.execute(pg_insert(suppressions).values(row).on_conflict_do_nothing())


def suppressed(tx: Connection, address_hash: str) -> str | None:
    """Why an address gets nothing, or None when it may be written to."""
    return tx.execute(
        select(suppressions.c.reason).where(suppressions.c.address_hash == address_hash)
    ).scalar_one_or_none()


def release(tx: Connection, address_hash: str) -> bool:
    """Let an address be written to again; whether it was on the list."""
    gone = delete(suppressions).where(suppressions.c.address_hash == address_hash).returning(suppressions.c.reason)
    return tx.execute(gone).first() is not None


def suppression_counts(tx: Connection) -> dict[str, int]:
    """How many addresses there are by reason, and customers who object, where there are any."""
    rows = tx.execute(select(suppressions.c.reason, func.count()).group_by(suppressions.c.reason))
    counts = {reason: int(count) for reason, count in rows}
    customers = count_objections(tx)
    return counts | ({"customers_who_object": customers} if customers else {})


def release_refused(tx: Connection) -> int:
    """Let all addresses be written to again that the mail server refused; how many. A dead one is refused and listed again."""
    return tx.execute(delete(suppressions).where(suppressions.c.reason == "refused")).rowcount


def stopped_by_refusals(tx: Connection) -> list[str]:
    """Open cases that get no emails for no other reason than that the mail server refused one for good."""
    other = exists().where(journal.c.case_id == cases.c.id, _OTHER_STOP)
    objects = exists().where(mail_objections.c.customer == cases.c.customer)
    stopped = (cases.c.state.in_(OPEN), cases.c.mail_stopped, ~other, ~objects)
    found = select(cases.c.id).where(*stopped).order_by(cases.c.id)
    return list(tx.execute(found).scalars())


def stopped_otherwise(tx: Connection, case: Case) -> str | None:
    """For which other reason a case gets no emails, in words, or None."""
    why = objection(tx, case.customer)
    if why is not None:
        return f"the customer has {why}"
    found = select(journal.c.reason).where(journal.c.case_id == case.id, _OTHER_STOP).order_by(journal.c.id.desc())
    return tx.execute(found.limit(1)).scalar_one_or_none()


def still_stopped(tx: Connection, customer: str) -> list[str]:
    """A customer's open cases that get no emails any more, whatever is lifted: each ended them by itself."""
    found = select(cases.c.id).where(cases.c.customer == customer, cases.c.state.in_(OPEN), cases.c.mail_stopped)
    return list(tx.execute(found.order_by(cases.c.id)).scalars())
