"""Campaigns: several letters a case, what the customer asked for, and addresses that get nothing any more."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_GONE = sa.text("status IN ('sending', 'sent', 'ambiguous')")


def upgrade() -> None:
    op.add_column("cases", sa.Column("letters_done", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("cases", sa.Column("letter_tries", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("cases", sa.Column("mail_stopped", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("cases", sa.Column("wished_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("cases", sa.Column("wishes", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("cases", sa.Column("left_because", sa.Text(), nullable=True))
    op.execute("UPDATE cases SET letters_done = 1 WHERE emails_sent > 0")
    # The tries so far were all at the one letter there was.
    op.execute("UPDATE cases SET letter_tries = email_tries WHERE emails_sent = 0 AND email_tries > 0")
    op.add_column("emails", sa.Column("letter", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("emails", sa.Column("template", sa.Text(), server_default=sa.text("'payment_due'"), nullable=False))
    op.execute("ALTER TABLE emails ADD CONSTRAINT ck_emails_letter CHECK (letter >= 1) NOT VALID")
    op.execute("ALTER TABLE emails VALIDATE CONSTRAINT ck_emails_letter")
    op.create_index(
        "uq_emails_letter_that_may_have_gone", "emails", ["case_id", "letter"], unique=True, postgresql_where=_GONE
    )
    op.drop_index("uq_emails_one_that_may_have_gone", table_name="emails")
    op.create_table(
        "suppressions",
        sa.Column("address_hash", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "reason IN ('bounced', 'complained', 'refused', 'unsubscribed')", name=op.f("ck_suppressions_reason_known")
        ),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_suppressions")),
    )
    op.create_table(
        "paces",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_paces")),
    )


def downgrade() -> None:
    op.drop_table("paces")
    op.drop_table("suppressions")
    op.drop_index("uq_emails_letter_that_may_have_gone", table_name="emails")
    # The version before knows one email a case: of later ones only the row stays, as refused.
    op.execute("UPDATE emails SET status = 'refused' WHERE letter > 1")
    op.create_index("uq_emails_one_that_may_have_gone", "emails", ["case_id"], unique=True, postgresql_where=_GONE)
    op.drop_constraint("ck_emails_letter", "emails", type_="check")
    op.drop_column("emails", "template")
    op.drop_column("emails", "letter")
    for name in ("left_because", "wishes", "wished_at", "mail_stopped", "letter_tries", "letters_done"):
        op.drop_column("cases", name)
