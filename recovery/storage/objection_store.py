"""Customers who want no emails, by the gateway's id. Without it their wish would end with the case that they unsubscribed from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.storage.mail_tables import mail_objections
from recovery.storage.tables import cases


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlisted:
    """An objection whose address is not on the list of addresses yet, and an invoice by which the gateway tells it."""

    customer: str
    reason: str
    since: datetime
    obligation: str


def keep_objection(tx: Connection, customer: str, reason: str, *, at: datetime) -> None:
    """Write to this customer no more: "unsubscribed" or "complained"; the first reason stays."""
    row = {"customer": customer, "reason": reason, "since": at}
    tx.execute(pg_insert(mail_objections).values(row).on_conflict_do_nothing())


def objection(tx: Connection, customer: str) -> str | None:
    """Why a customer gets no emails, or None."""
    found = select(mail_objections.c.reason).where(mail_objections.c.customer == customer)
    return tx.execute(found).scalar_one_or_none()


def lift_objection(tx: Connection, customer: str) -> bool:
    """Let a customer be written to again; whether they had objected."""
    return tx.execute(delete(mail_objections).where(mail_objections.c.customer == customer)).rowcount > 0


def count_objections(tx: Connection) -> int:
    """How many customers want no emails."""
    return int(tx.execute(select(func.count()).select_from(mail_objections)).scalar_one())


def unlisted(tx: Connection, *, customer: str | None, limit: int) -> Sequence[Unlisted]:
    """Objections without their address, of one customer or the oldest of all. Whoever has no case any more cannot be asked for."""
    newest = (
        select(cases.c.obligation)
        .where(cases.c.customer == mail_objections.c.customer)
        .order_by(cases.c.failed_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    who = mail_objections.c
    found = (
        select(who.customer, who.reason, who.since, newest.label("obligation"))
        .where(~who.address_listed, newest.is_not(None))
        .order_by(who.since)
        .limit(limit)
    )
    if customer is not None:
        found = found.where(who.customer == customer)
    return [Unlisted(**row) for row in tx.execute(found).mappings()]


def address_is_listed(tx: Connection, customer: str) -> None:
    """The address of one who objects is on the list now, or there is none."""
    tx.execute(update(mail_objections).where(mail_objections.c.customer == customer).values(address_listed=True))
