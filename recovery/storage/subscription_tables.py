"""Subscriptions, as last imported: who could leave, and who did. No name, no address."""

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Table, Text

from recovery.storage.tables import metadata

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("monthly_minor", BigInteger, nullable=False),
    Column("contract", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("ended_because", Text),
    Column("read_at", DateTime(timezone=True), nullable=False),
    Index("ix_subscriptions_ended_at", "ended_at"),
    Index("ix_subscriptions_customer", "customer"),
)
"""``monthly_minor`` is the price as monthly revenue, ``contract`` how often it renews."""

imports = Table(
    "imports",
    metadata,
    Column("name", Text, primary_key=True),
    Column("behind", Text),
    Column("read", Integer, nullable=False),
    Column("begun_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
)
"""How far an import came: the id that the next page begins behind."""
