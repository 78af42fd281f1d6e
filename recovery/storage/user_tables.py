"""Who may read the pages. Passwords are kept as hashes, session tokens and addresses as digests: nothing here opens a door."""

from sqlalchemy import Boolean, CheckConstraint, Column, DateTime, ForeignKey, Index, Table, Text

from recovery.storage.tables import metadata

ROLES = ("admin", "finance", "operator")

users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("enabled", Boolean, nullable=False),
    CheckConstraint("role IN ('admin', 'finance', 'operator')", name="role_known"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_digest", Text, primary_key=True),
    Column("user_name", Text, ForeignKey("users.name", ondelete="CASCADE"), nullable=False),
    Column("csrf", Text, nullable=False),
    Column("begun_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Index("ix_sessions_user_name", "user_name"),
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("subject", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("ix_login_failures_subject", "subject", "at"),
)
"""Failed attempts to sign in; ``subject`` is a digest of a name or of an address. Old ones are deleted."""
