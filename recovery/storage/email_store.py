"""Emails as rows. The database refuses one without the exhaustion it follows from."""

from sqlalchemy import Connection, insert, select, update

from recovery.cases.case import Case
from recovery.storage.moment import Moment
from recovery.storage.tables import emails, exhaustions


def insert_email(tx: Connection, case: Case, *, number: int, step_id: int, moment: Moment) -> str:
    """Commit to an email before the mail server is called. The database refuses it without the case's exhaustion."""
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
