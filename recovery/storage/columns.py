"""What all tables share: names of constraints, instants, enumerations. Without it each file of tables would spell them anew."""

from sqlalchemy import CheckConstraint, Column, ColumnClause, DateTime, MetaData, Text, literal_column

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def one_of(column: str, values: object) -> CheckConstraint:
    """A column that holds one of some words."""
    listed = ", ".join(f"'{value}'" for value in sorted(values))  # type: ignore[call-overload]
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def instant(name: str, *, nullable: bool = False) -> Column[object]:
    """An instant, always with its zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def word(name: str) -> ColumnClause[str]:
    """One of the words that a column holds, as part of a statement's own text. Bound as a value the database could not know which
    index of some rows only serves the statement, and would plan it anew each time it is asked: that takes longer than the answer."""
    assert name.isidentifier(), name
    return literal_column(f"'{name}'", Text)
