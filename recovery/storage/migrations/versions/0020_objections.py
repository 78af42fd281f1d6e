"""Who unsubscribed is remembered by the customer's id, those of before as well; their addresses are listed later, where not yet done."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_FROM_THE_JOURNAL = """
INSERT INTO mail_objections (customer, reason, since)
SELECT c.customer, CASE WHEN bool_or(j.fact_key LIKE '%unsubscribed') THEN 'unsubscribed' ELSE 'complained' END, min(j.at)
FROM journal j JOIN cases c ON c.id = j.case_id
WHERE j.fact_key IN (
    'customer:mail_stopped:the customer unsubscribed',
    'customer:mail_stopped:the customer complained about our email'
)
AND c.customer NOT LIKE 'forgotten%'
GROUP BY c.customer
"""


def upgrade() -> None:
    op.create_table(
        "mail_objections",
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address_listed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("reason IN ('complained', 'unsubscribed')", name=op.f("ck_mail_objections_reason_known")),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk_mail_objections")),
    )
    op.execute(_FROM_THE_JOURNAL)


def downgrade() -> None:
    op.drop_table("mail_objections")
