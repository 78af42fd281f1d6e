"""Emails as rows. The database refuses one without the exhaustion it follows from."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, exists, func, insert, or_, select, text, update

from recovery.cases.case import Case, Decision
from recovery.cases.rules import CardUse
from recovery.storage.mail_tables import emails
from recovery.storage.moment import Moment
from recovery.storage.objection_store import objection
from recovery.storage.tables import cases, exhaustions

LOOK_BACK_DAYS = 31
"""One day more than the span in which emails to one customer are counted."""


def with_mailed(tx: Connection, case: Case, use: CardUse, *, now: datetime) -> CardUse:
    """The same use, with the instants of emails to the customer over all cases, and whether there must be none.

    Holds the customer's mail until the end, so that two cases never use up its last place together.
    """
    tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(text(":key"), 1))), {"key": case.customer})
    found = (
        select(emails.c.begun_at)
        .join(cases, cases.c.id == emails.c.case_id)
        .where(
            cases.c.customer == case.customer,
            emails.c.status != "refused",
            emails.c.begun_at > now - timedelta(days=LOOK_BACK_DAYS),
        )
        .order_by(emails.c.begun_at)
    )
    why = objection(tx, case.customer)
    no_mail = None if why is None else f"the customer has {why}"
    told = select(cases.c.id).where(
        cases.c.customer == case.customer,
        or_(cases.c.left_because.is_not(None), cases.c.reason_mail.is_not(None)),
        cases.c.id != case.id,
    )
    asked_why = tx.execute(select(exists(told))).scalar_one()
    return replace(use, mailed=tuple(tx.execute(found).scalars()), asked_why=asked_why, no_mail=no_mail)


def insert_email(tx: Connection, decision: Decision, *, step_id: int, moment: Moment) -> str:
    """Commit to an email before the mail server is called. The database refuses it without the case's exhaustion."""
    case, number = decision.case, decision.email
    assert decision.template is not None, "an email needs its text"
    used_up = tx.execute(select(exhaustions.c.id, exhaustions.c.at).where(exhaustions.c.case_id == case.id)).one()
    email_id = f"{case.id}-mail-{number}"
    tx.execute(
        insert(emails).values(
            id=email_id,
            case_id=case.id,
            step_id=step_id,
            exhaustion_id=used_up.id,
            exhausted_at=used_up.at,
            number=number,
            letter=case.letters_done + 1,
            template=decision.template,
            status="sending",
            begun_at=moment.now,
        )
    )
    return email_id


def finish_email(tx: Connection, email_id: str, status: str, detail: str | None, *, moment: Moment) -> int:
    """Write what became of an email; the step under which it was sent."""
    statement = (
        update(emails)
        .where(emails.c.id == email_id)
        .values(status=status, detail=detail, finished_at=moment.now)
        .returning(emails.c.step_id)
    )
    return int(tx.execute(statement).scalar_one())


def email_of_step(tx: Connection, step_id: int) -> str | None:
    """The email begun under a step and not finished, or None."""
    found = select(emails.c.id).where(emails.c.step_id == step_id, emails.c.status == "sending")
    return tx.execute(found).scalar_one_or_none()


def case_of_email(tx: Connection, email_id: str) -> str | None:
    """The case that an email was about, or None when no email has this id."""
    return tx.execute(select(emails.c.case_id).where(emails.c.id == email_id)).scalar_one_or_none()
