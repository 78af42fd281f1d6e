"""The tables. The invariants that must survive any bug of ours are constraints here, not only rules in code.

Business instants are ``…_at``; machine instants (leases, holds, bookkeeping) are marked so. Triggers that no table definition can
express (an open case has a wake-up, ledger and journal are append-only) live in the first migration.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from recovery.cases.lifecycle import (
    ENDS,
    OPEN_ATTEMPTS,
    AttemptStatus,
    EntryKind,
    Rule,
    Source,
    State,
    StepKind,
    StepState,
)
from recovery.storage.card_tables import card_history as card_history
from recovery.storage.card_tables import lookahead_rounds as lookahead_rounds
from recovery.storage.card_tables import renewals as renewals
from recovery.storage.columns import instant as _instant
from recovery.storage.columns import metadata as metadata
from recovery.storage.columns import one_of as _one_of

policies = Table(
    "policies",
    metadata,
    Column("version", Text, primary_key=True),
    Column("content", JSONB(none_as_null=True), nullable=False),
    _instant("loaded_at"),
)

cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("gateway", Text, nullable=False),
    Column("obligation", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("subscription", Text),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("policy", Text, ForeignKey("policies.version"), nullable=False),
    _instant("failed_at"),
    _instant("horizon_at"),
    Column("segment", Text, nullable=False, server_default=text("''")),
    Column("zone", Text),
    _instant("woken_at", nullable=True),
    Column("card", JSONB(none_as_null=True)),
    Column("tried_card", JSONB(none_as_null=True)),
    Column("verdict", JSONB(none_as_null=True)),
    Column("signals", JSONB(none_as_null=True)),
    _instant("last_failure_at", nullable=True),
    Column("dead_cards", JSONB(none_as_null=True), nullable=False),
    Column("wallet", JSONB(none_as_null=True), nullable=False, server_default=text("'[]'")),
    Column("choice", Text),
    Column("refreshes", Integer, nullable=False),
    Column("emails_sent", Integer, nullable=False),
    _instant("emailed_at", nullable=True),
    Column("email_tries", Integer, nullable=False),
    Column("letters_done", Integer, nullable=False, server_default=text("0")),
    Column("letter_tries", Integer, nullable=False, server_default=text("0")),
    Column("mail_stopped", Boolean, nullable=False, server_default=text("false")),
    _instant("wished_at", nullable=True),
    Column("wishes", Integer, nullable=False, server_default=text("0")),
    Column("left_because", Text),
    Column("escalations", Integer, nullable=False),
    Column("source", Text),
    _instant("ended_at", nullable=True),
    _instant("opened_at"),
    _instant("changed_at"),
    UniqueConstraint("gateway", "obligation"),
    _one_of("state", State),
    CheckConstraint(f"source IS NULL OR source IN ({', '.join(repr(s.value) for s in Source)})", name="source_known"),
    CheckConstraint(
        f"(ended_at IS NOT NULL) = (state IN ({', '.join(sorted(repr(s.value) for s in ENDS))}))", name="ended"
    ),
    CheckConstraint("amount_minor >= 0", name="amount"),
    CheckConstraint("char_length(currency) = 3 AND currency = lower(currency)", name="currency"),
    Index("ix_cases_customer", "customer"),
    Index("ix_cases_subscription", "subscription"),
    Index("ix_cases_state_changed_at", "state", "changed_at"),
)

journal = Table(
    "journal",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("fact_key", Text, nullable=False),
    Column("fact", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _instant("at"),
    _instant("booked_at"),
    UniqueConstraint("case_id", "fact_key"),
)

steps = Table(
    "steps",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    _instant("due_at"),
    _instant("hold_until", nullable=True),
    _instant("lease_until", nullable=True),
    _instant("again_at", nullable=True),
    Column("claims", Integer, nullable=False, server_default=text("0")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("unended", Integer, nullable=False, server_default=text("0")),
    _instant("set_aside_at", nullable=True),
    Column("error", Text),
    _one_of("kind", StepKind),
    _one_of("state", StepState),
    CheckConstraint("(lease_until IS NOT NULL) = (state = 'in_flight')", name="lease"),
    Index(
        "uq_steps_one_open_of_a_kind",
        "case_id",
        "kind",
        unique=True,
        postgresql_where=text("state IN ('planned', 'in_flight')"),
    ),
    Index("ix_steps_due", "due_at", postgresql_where=text("state = 'planned'")),
    Index("ix_steps_leases", "lease_until", postgresql_where=text("state = 'in_flight'")),
    Index("ix_steps_suspects", "due_at", postgresql_where=text("state = 'planned' AND unended >= 2")),
    Index("ix_steps_set_aside", "set_aside_at", postgresql_where=text("set_aside_at IS NOT NULL")),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("step_id", BigInteger, ForeignKey("steps.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("card", JSONB(none_as_null=True), nullable=False),
    Column("budget_key", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    _instant("started_at"),
    Column("purpose", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("signals", JSONB(none_as_null=True)),
    Column("decline_class", Text),
    Column("charge_id", Text, unique=True),
    Column("counts", Boolean, nullable=False),
    Column("zone", Text),
    UniqueConstraint("case_id", "number"),
    _one_of("status", AttemptStatus),
    CheckConstraint("amount_minor > 0", name="amount"),
    Index(
        "uq_attempts_one_open",
        "case_id",
        unique=True,
        postgresql_where=text(f"status IN ({', '.join(sorted(repr(s.value) for s in OPEN_ATTEMPTS))})"),
    ),
    Index("ix_attempts_budget", "budget_key", "started_at", postgresql_where=text("counts")),
)

foreign_charges = Table(
    "foreign_charges",
    metadata,
    Column("charge_id", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("budget_key", Text),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    _instant("at"),
    Column("initiator", Text),
    Column("signals", JSONB(none_as_null=True)),
    Column("counts", Boolean, nullable=False),
    Index("ix_foreign_charges_budget", "budget_key", "at", postgresql_where=text("counts")),
    Index("ix_foreign_charges_case_id", "case_id"),
)

exhaustions = Table(
    "exhaustions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False, unique=True),
    Column("journal_id", BigInteger, ForeignKey("journal.id"), nullable=False),
    Column("rule", Text, nullable=False),
    _instant("at"),
    Column("detail", Text, nullable=False),
    _one_of("rule", Rule),
    UniqueConstraint("id", "case_id", "at"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("charge_id", Text),
    Column("source", Text),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    _instant("occurred_at"),
    _instant("booked_at"),
    _one_of("kind", EntryKind),
    CheckConstraint("amount_minor >= 0", name="amount"),
    UniqueConstraint("case_id", "kind", "ref"),
    Index("ix_ledger_kind_occurred_at", "kind", "occurred_at"),
    Index("ix_ledger_charge_id", "charge_id"),
)

events = Table(
    "events",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    Column("kind", Text, nullable=False),
    Column("livemode", Boolean, nullable=False),
    _instant("created_at"),
    Column("object_id", Text, nullable=False),
    Column("content", JSONB(none_as_null=True), nullable=False),
    Column("idempotency_key", Text),
    Column("caused_by_request", Boolean, nullable=False),
    _instant("received_at"),
    Column("state", Text, nullable=False),
    _instant("hold_until", nullable=True),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("unended", Integer, nullable=False, server_default=text("0")),
    Column("detail", Text),
    _one_of("state", ("waiting", "done", "set_aside")),
    Index("ix_events_waiting", "seq", postgresql_where=text("state = 'waiting'")),
    Index("ix_events_set_aside", "seq", postgresql_where=text("state = 'set_aside'")),
    Index("ix_events_suspects", "seq", postgresql_where=text("state = 'waiting' AND unended >= 2")),
)

flags = Table(
    "flags",
    metadata,
    Column("name", Text, primary_key=True),
    Column("detail", Text, nullable=False),
    _instant("since"),
    _instant("seen_at"),
    Column("times", Integer, nullable=False),
)
