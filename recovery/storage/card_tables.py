"""The tables about cards. What is kept of a card is what decisions need: never a number."""

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, ForeignKey, Identity, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from recovery.storage.columns import instant, metadata, one_of

card_history = Table(
    "card_history",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("gateway", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("place", Text),  # NULL: the gateway has it no more
    Column("card", JSONB(none_as_null=True), nullable=False),
    Column("what", Text, nullable=False),
    Column("signal", Text, nullable=False),
    Column("case_id", Text, ForeignKey("cases.id")),
    instant("at"),
    instant("booked_at"),
    Index("ix_card_history_customer", "customer", "payment_method", "id"),
    Index("ix_card_history_payment_method", "payment_method", "id"),
)

renewals = Table(
    "renewals",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("subscription", Text, primary_key=True),
    Column("renews_at", DateTime(timezone=True), primary_key=True),
    Column("customer", Text, nullable=False),
    Column("card", JSONB(none_as_null=True)),
    Column("at_risk", Boolean, nullable=False),
    Column("was_at_risk", Boolean, nullable=False),
    Column("credited", Text),
    instant("read_at"),
    one_of("credited", ("gateway", "engine", "customer")),
)

lookahead_rounds = Table(
    "lookahead_rounds",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("day", Date, nullable=False),
    Column("cursor", Text),  # NULL: the day's round is done
    Column("begun_at", DateTime(timezone=True)),  # NULL: begun before this was kept
)

renewal_news = Table(
    "renewal_news",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("gateway", Text, nullable=False),
    Column("subscription", Text, nullable=False),
    Column("kind", Text, nullable=False),
    instant("heard_at"),
)
"""What events said of subscriptions since looking ahead last read them; a line goes when its subscription was read."""
