"""The tables around emails. Without a place of their own they would make the list of all tables longer than one can read."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from recovery.storage.tables import metadata

MESSAGE_STATES = ("delivered", "given_up", "waiting")
OBJECTIONS = ("complained", "unsubscribed")
SUPPRESSION_REASONS = ("bounced", "complained", "refused", "unsubscribed")

emails = Table(
    "emails",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("step_id", BigInteger, ForeignKey("steps.id"), nullable=False),
    Column("exhaustion_id", BigInteger, nullable=False),
    Column("exhausted_at", DateTime(timezone=True), nullable=False),
    Column("number", Integer, nullable=False),
    Column("letter", Integer, nullable=False, server_default=text("1")),
    Column("template", Text, nullable=False, server_default=text("'payment_due'")),
    Column("status", Text, nullable=False),
    Column("begun_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    Column("detail", Text),
    ForeignKeyConstraint(
        ["exhaustion_id", "case_id", "exhausted_at"],
        ["exhaustions.id", "exhaustions.case_id", "exhaustions.at"],
        name="fk_emails_exhaustion",
    ),
    CheckConstraint("begun_at >= exhausted_at", name="only_after_exhaustion"),
    CheckConstraint("letter >= 1", name="letter"),
    CheckConstraint("status IN ('ambiguous', 'refused', 'sending', 'sent')", name="status_known"),
    UniqueConstraint("case_id", "number"),
    Index(
        "uq_emails_letter_that_may_have_gone",
        "case_id",
        "letter",
        unique=True,
        postgresql_where=text("status IN ('sending', 'sent', 'ambiguous')"),
    ),
    Index("ix_emails_step_id", "step_id"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    CheckConstraint(f"reason IN {SUPPRESSION_REASONS}", name="reason_known"),
)

mail_objections = Table(
    "mail_objections",
    metadata,
    Column("customer", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("address_listed", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint(f"reason IN {OBJECTIONS}", name="reason_known"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("content", JSONB(none_as_null=True), nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("delivered_at", DateTime(timezone=True)),
    Column("error", Text),
    CheckConstraint(f"state IN {MESSAGE_STATES}", name="state_known"),
    Index("ix_messages_waiting", "due_at", postgresql_where=text("state = 'waiting'")),
)

paces = Table(
    "paces",
    metadata,
    Column("name", Text, primary_key=True),
    Column("free_at", DateTime(timezone=True), nullable=False),
)
