"""The report's own tables: roll-ups that are made from the others, and months that were closed. Losing the roll-ups loses nothing."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from recovery.storage.report_sums import SUMS
from recovery.storage.tables import metadata

case_figures = Table(
    "case_figures",
    metadata,
    Column("case_id", Text, primary_key=True),
    Column("failed_at", DateTime(timezone=True), nullable=False),
    Column("currency", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("source", Text),
    Column("recovered_at", DateTime(timezone=True)),
    Column("emails_sent", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decline_class", Text, nullable=False),
    Column("brand", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("segment", Text, nullable=False),
    Column("tenure", Text, nullable=False),
    Column("contract", Text, nullable=False),
    Column("amount_band", Text, nullable=False),
    Column("arm", Text, nullable=False, server_default=text("'not measured'")),
    Column("at_risk_minor", BigInteger, nullable=False),
    Column("recovered_minor", BigInteger, nullable=False),
    Column("credited_minor", BigInteger, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False),
    Column("disputed_minor", BigInteger, nullable=False),
    Column("fee_minor", BigInteger, nullable=False),
    Column("monthly_minor", BigInteger, nullable=False),
    Column("sources", ARRAY(Text), nullable=False),
    Column("source_recovered", ARRAY(BigInteger), nullable=False),
    Column("source_refunded", ARRAY(BigInteger), nullable=False),
    Column("source_disputed", ARRAY(BigInteger), nullable=False),
    Column("try_numbers", ARRAY(SmallInteger), nullable=False),
    Column("try_slots", ARRAY(SmallInteger), nullable=False),
    Column("try_outcomes", ARRAY(SmallInteger), nullable=False),
    Column("try_minor", ARRAY(BigInteger), nullable=False),
    Column("paid_at", ARRAY(DateTime(timezone=True)), nullable=False, server_default=text("'{}'")),
    Column("paid_minor", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),
    Column("paid_credited", ARRAY(Boolean), nullable=False, server_default=text("'{}'")),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Index("ix_case_figures_failed_at", "failed_at"),
    Index("ix_case_figures_measured", "failed_at", postgresql_where=text("arm <> 'not measured'")),
    Index("ix_case_figures_made_at", "made_at"),
)
"""One line a case, so that a month is read in one sweep. ``monthly_minor`` is the invoice's amount as monthly revenue.

``try_slots`` are hours of the issuer's local week from Monday 0 h; ``try_outcomes`` are 0 open, 1 refused, 2 succeeded.
"""

report_stale = Table(
    "report_stale",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("case_id", Text, nullable=False),
    Index("ix_report_stale_case_id", "case_id"),
)
"""Cases that changed since their line was made; written by a trigger, so that nobody can forget it."""

figure_months = Table(
    "figure_months",
    metadata,
    Column("zone", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("begins_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
)
"""Months of failures whose lines are added up in ``figure_sums``, and when that was last done from the lines themselves."""

figure_sums = Table(
    "figure_sums",
    metadata,
    *(Column(name, Text, primary_key=True) for name in ("zone", "month", "cut", "key", "currency")),
    *(Column(name, BigInteger, nullable=False) for name in SUMS),
)
"""The lines of such a month added up by each cut. What is read from it is corrected for the cases in ``report_stale``."""

closed_months = Table(
    "closed_months",
    metadata,
    Column("month", Text, primary_key=True),
    Column("zone", Text, nullable=False),
    Column("closed_at", DateTime(timezone=True), nullable=False),
    Column("closed_by", Text, nullable=False),
    Column("last_entry", BigInteger, nullable=False),
    Column("figures", JSONB(none_as_null=True), nullable=False),
    Column("reconciled", JSONB(none_as_null=True)),
    CheckConstraint("month ~ '^[0-9]{4}-[0-9]{2}$'", name="month"),
)
"""Months whose figures were signed: as they were then. ``last_entry`` is the ledger's last line that they contain."""
