"""What all tables share: names of constraints, instants, enumerations. Without it each file of tables would spell them anew."""

from sqlalchemy import CheckConstraint, Column, DateTime, MetaData

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
