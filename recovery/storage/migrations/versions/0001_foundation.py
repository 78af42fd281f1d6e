"""The foundation: cases, their journal, steps, attempts, emails, ledger, and the events they come from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("caused_by_request", sa.Boolean(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("hold_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('done', 'set_aside', 'waiting')", name=op.f("ck_events_state_known")),
        sa.PrimaryKeyConstraint("gateway", "id", name=op.f("pk_events")),
    )
    op.create_index(
        "ix_events_set_aside", "events", ["seq"], unique=False, postgresql_where=sa.text("state = 'set_aside'")
    )
    op.create_index("ix_events_waiting", "events", ["seq"], unique=False, postgresql_where=sa.text("state = 'waiting'"))
    op.create_table(
        "flags",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_flags")),
    )
    op.create_table(
        "policies",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_policies")),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("obligation", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("subscription", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("horizon_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("card", postgresql.JSONB(), nullable=True),
        sa.Column("tried_card", postgresql.JSONB(), nullable=True),
        sa.Column("verdict", postgresql.JSONB(), nullable=True),
        sa.Column("signals", postgresql.JSONB(), nullable=True),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_cards", postgresql.JSONB(), nullable=False),
        sa.Column("refreshes", sa.Integer(), nullable=False),
        sa.Column("emails_sent", sa.Integer(), nullable=False),
        sa.Column("emailed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("email_tries", sa.Integer(), nullable=False),
        sa.Column("escalations", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(ended_at IS NOT NULL) = (state IN ('lost', 'recovered', 'withdrawn'))", name=op.f("ck_cases_ended")
        ),
        sa.CheckConstraint(
            "source IS NULL OR source IN ('silent_retry', 'refreshed_card', 'backup_card', 'customer_after_email', 'customer_unasked', 'gateway_retry')",
            name=op.f("ck_cases_source_known"),
        ),
        sa.CheckConstraint(
            "state IN ('dunning', 'lost', 'recovered', 'review', 'silent', 'withdrawn')",
            name=op.f("ck_cases_state_known"),
        ),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_cases_amount")),
        sa.CheckConstraint("char_length(currency) = 3 AND currency = lower(currency)", name=op.f("ck_cases_currency")),
        sa.ForeignKeyConstraint(["policy"], ["policies.version"], name=op.f("fk_cases_policy")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("gateway", "obligation", name=op.f("uq_cases_gateway_obligation")),
    )
    op.create_index("ix_cases_customer", "cases", ["customer"], unique=False)
    op.create_index("ix_cases_state_changed_at", "cases", ["state", "changed_at"], unique=False)
    op.create_index("ix_cases_subscription", "cases", ["subscription"], unique=False)
    op.create_table(
        "foreign_charges",
        sa.Column("charge_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("budget_key", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("initiator", sa.Text(), nullable=True),
        sa.Column("signals", postgresql.JSONB(), nullable=True),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_foreign_charges_case_id")),
        sa.PrimaryKeyConstraint("charge_id", name=op.f("pk_foreign_charges")),
    )
    op.create_index(
        "ix_foreign_charges_budget",
        "foreign_charges",
        ["budget_key", "at"],
        unique=False,
        postgresql_where=sa.text("counts"),
    )
    op.create_index("ix_foreign_charges_case_id", "foreign_charges", ["case_id"], unique=False)
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("fact_key", sa.Text(), nullable=False),
        sa.Column("fact", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_journal_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
        sa.UniqueConstraint("case_id", "fact_key", name=op.f("uq_journal_case_id_fact_key")),
    )
    op.create_table(
        "ledger",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("charge_id", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('at_risk', 'at_risk_changed', 'dispute_lost', 'dispute_opened', 'dispute_won', 'recovered', 'refund_failed', 'refunded', 'withdrawn', 'written_off')",
            name=op.f("ck_ledger_kind_known"),
        ),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_ledger_amount")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_ledger_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
        sa.UniqueConstraint("case_id", "kind", "ref", name=op.f("uq_ledger_case_id_kind_ref")),
    )
    op.create_index("ix_ledger_charge_id", "ledger", ["charge_id"], unique=False)
    op.create_index("ix_ledger_kind_occurred_at", "ledger", ["kind", "occurred_at"], unique=False)
    op.create_table(
        "steps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hold_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claims", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("(lease_until IS NOT NULL) = (state = 'in_flight')", name=op.f("ck_steps_lease")),
        sa.CheckConstraint(
            "kind IN ('charge_card', 'close_case', 'escalate', 'refresh_card', 'send_email', 'settle_attempt')",
            name=op.f("ck_steps_kind_known"),
        ),
        sa.CheckConstraint("state IN ('cancelled', 'done', 'in_flight', 'planned')", name=op.f("ck_steps_state_known")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_steps_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
    )
    op.create_index("ix_steps_due", "steps", ["due_at"], unique=False, postgresql_where=sa.text("state = 'planned'"))
    op.create_index(
        "ix_steps_leases", "steps", ["lease_until"], unique=False, postgresql_where=sa.text("state = 'in_flight'")
    )
    op.create_index(
        "uq_steps_one_open_of_a_kind",
        "steps",
        ["case_id", "kind"],
        unique=True,
        postgresql_where=sa.text("state IN ('planned', 'in_flight')"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("step_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("card", postgresql.JSONB(), nullable=False),
        sa.Column("budget_key", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("signals", postgresql.JSONB(), nullable=True),
        sa.Column("decline_class", sa.Text(), nullable=True),
        sa.Column("charge_id", sa.Text(), nullable=True),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "status IN ('already_settled', 'declined', 'in_flight', 'misconfigured', 'needs_customer', 'not_sent', 'processing', 'succeeded', 'unknown')",
            name=op.f("ck_attempts_status_known"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_attempts_amount")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_attempts_case_id")),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"], name=op.f("fk_attempts_step_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_attempts_case_id_number")),
        sa.UniqueConstraint("charge_id", name=op.f("uq_attempts_charge_id")),
    )
    op.create_index(
        "ix_attempts_budget", "attempts", ["budget_key", "started_at"], unique=False, postgresql_where=sa.text("counts")
    )
    op.create_index(
        "uq_attempts_one_open",
        "attempts",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('in_flight', 'processing', 'unknown')"),
    )
    op.create_table(
        "exhaustions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("journal_id", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "rule IN ('attempts', 'horizon', 'never_again', 'no_card', 'only_customer')",
            name=op.f("ck_exhaustions_rule_known"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_exhaustions_case_id")),
        sa.ForeignKeyConstraint(["journal_id"], ["journal.id"], name=op.f("fk_exhaustions_journal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exhaustions")),
        sa.UniqueConstraint("case_id", name=op.f("uq_exhaustions_case_id")),
        sa.UniqueConstraint("id", "case_id", "at", name=op.f("uq_exhaustions_id_case_id_at")),
    )
    op.create_table(
        "emails",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("step_id", sa.BigInteger(), nullable=False),
        sa.Column("exhaustion_id", sa.BigInteger(), nullable=False),
        sa.Column("exhausted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('ambiguous', 'refused', 'sending', 'sent')", name=op.f("ck_emails_status_known")
        ),
        sa.CheckConstraint("begun_at >= exhausted_at", name=op.f("ck_emails_only_after_exhaustion")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_emails_case_id")),
        sa.ForeignKeyConstraint(
            ["exhaustion_id", "case_id", "exhausted_at"],
            ["exhaustions.id", "exhaustions.case_id", "exhaustions.at"],
            name="fk_emails_exhaustion",
        ),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"], name=op.f("fk_emails_step_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emails")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_emails_case_id_number")),
    )
    op.create_index(
        "uq_emails_one_that_may_have_gone",
        "emails",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('sending', 'sent', 'ambiguous')"),
    )
    for statement in _TRIGGERS:
        op.execute(statement)


_TRIGGERS = (
    # An open case has a wake-up: at commit, whatever the order of writes inside the transaction.
    """
    CREATE FUNCTION open_case_has_wake_up() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        concerned text;
    BEGIN
        IF TG_TABLE_NAME = 'cases' THEN concerned := NEW.id; ELSE concerned := NEW.case_id; END IF;
        IF EXISTS (SELECT 1 FROM cases WHERE id = concerned AND state IN ('silent', 'dunning', 'review'))
           AND NOT EXISTS (SELECT 1 FROM steps WHERE case_id = concerned AND state IN ('planned', 'in_flight'))
        THEN
            RAISE EXCEPTION 'case % is open and has no wake-up', concerned USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER open_case_has_wake_up AFTER INSERT OR UPDATE OF state ON cases
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION open_case_has_wake_up()
    """,
    """
    CREATE CONSTRAINT TRIGGER open_case_has_wake_up AFTER UPDATE OF state ON steps
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state IN ('done', 'cancelled'))
    EXECUTE FUNCTION open_case_has_wake_up()
    """,
    # What was booked stays booked: corrections are new rows.
    """
    CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END $$
    """,
    "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION append_only()",
    "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON journal FOR EACH ROW EXECUTE FUNCTION append_only()",
    "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON exhaustions FOR EACH ROW EXECUTE FUNCTION append_only()",
)
