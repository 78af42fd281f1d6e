"""What the installation has to say: its table. Apart from the others, which are about cases, so that both stay readable."""

from sqlalchemy import Column, DateTime, Integer, Table, Text

from recovery.storage.tables import metadata

flags = Table(
    "flags",
    metadata,
    Column("name", Text, primary_key=True),
    Column("detail", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("times", Integer, nullable=False),
)
