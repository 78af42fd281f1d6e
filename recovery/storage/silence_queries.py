"""The journal, asked whether silence was kept. Without it "no email before exhaustion" would be a promise instead of a proof."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from recovery.storage.mail_tables import emails
from recovery.storage.tables import attempts, exhaustions, journal


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailRecord:
    """One email with what the journal says around it. Line numbers are the journal's own order; None where a line is missing."""

    id: str
    case_id: str
    letter: int
    template: str
    status: str
    begun_at: datetime
    rule: str
    exhausted_at: datetime
    exhausted_line: int
    line_at: datetime
    line_state: str
    line_case: str
    first_dunning_line: int | None
    due_line: int | None
    silent_tries: int


def email_records(tx: Connection, *, first: datetime, until: datetime) -> Iterator[EmailRecord]:
    """Every email begun in a period (the end excluded), oldest first."""
    line = journal.alias("line")
    other = journal.alias("other")
    first_dunning = select(func.min(other.c.id)).where(other.c.case_id == emails.c.case_id, other.c.state == "dunning")
    due = select(func.min(other.c.id)).where(
        other.c.case_id == emails.c.case_id,
        other.c.fact == "EmailDue",
        other.c.fact_key == func.concat("step:", emails.c.step_id, ":due"),
    )
    tries = select(func.count()).where(
        attempts.c.case_id == emails.c.case_id, attempts.c.started_at <= exhaustions.c.at
    )
    query = (
        select(
            emails.c.id,
            emails.c.case_id,
            emails.c.letter,
            emails.c.template,
            emails.c.status,
            emails.c.begun_at,
            exhaustions.c.rule,
            exhaustions.c.at.label("exhausted_at"),
            line.c.id.label("exhausted_line"),
            line.c.at.label("line_at"),
            line.c.state.label("line_state"),
            line.c.case_id.label("line_case"),
            first_dunning.scalar_subquery().label("first_dunning_line"),
            due.scalar_subquery().label("due_line"),
            tries.scalar_subquery().label("silent_tries"),
        )
        .join(exhaustions, exhaustions.c.id == emails.c.exhaustion_id)
        .join(line, line.c.id == exhaustions.c.journal_id)
        .where(emails.c.begun_at >= first, emails.c.begun_at < until)
        .order_by(emails.c.begun_at, emails.c.id)
    )
    for row in tx.execution_options(stream_results=True).execute(query).mappings():
        yield EmailRecord(**row)
