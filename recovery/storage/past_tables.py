"""What was imported from before: invoices for denominators, charges for the networks' budgets. No name, no address."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, DateTime, Index, Table, Text, text

from recovery.storage.columns import metadata

past_invoices = Table(
    "past_invoices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("subscription", Text),
    Column("currency", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("first", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("amount_minor > 0", name="amount"),
    Index("ix_past_invoices_created_at", "created_at"),
    Index("ix_past_invoices_customer", "customer"),
)
"""``amount_minor`` is what was asked for, ``state`` the gateway's word at the last import."""

past_charges = Table(
    "past_charges",
    metadata,
    Column("charge_id", Text, primary_key=True),
    Column("customer", Text),
    Column("budget_key", Text),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("succeeded", Boolean),
    Column("counts", Boolean, nullable=False),
    Index("ix_past_charges_budget", "budget_key", "at", postgresql_where=text("counts")),
    Index("ix_past_charges_tries", "at", postgresql_include=["budget_key"], postgresql_where=text("counts")),
    Index("ix_past_charges_customer", "customer"),
)
"""``counts`` tells whether the network saw the charge; ``succeeded`` is unknown while it is pending."""

subscription_changes = Table(
    "subscription_changes",
    metadata,
    Column("subscription", Text, primary_key=True),
    Column("at", DateTime(timezone=True), primary_key=True),
    Column("before_minor", BigInteger, nullable=False),
    Column("after_minor", BigInteger, nullable=False),
)
"""Monthly revenue that an import found changed since the one before, and when it did."""
