"""Subscriptions, as last imported: who could leave, and who did. No name, no address."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Integer, Table, Text, text

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
    Column("several", Boolean, nullable=False, server_default=text("false")),
    Index("ix_subscriptions_ended_at", "ended_at"),
    Index("ix_subscriptions_person", "customer", "currency"),
    Index("ix_subscriptions_several", "id", postgresql_where=text("several")),
)
"""``monthly_minor`` is the price as monthly revenue, ``contract`` how often it renews.

``several``: its customer has, or had, others of this currency; who has one alone is counted without asking further.
"""

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
