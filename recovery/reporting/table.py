"""A table of figures as a value. Without it terminal, page and export would each compute and name figures on their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final

from recovery.money import exponent

TOTAL: Final = "all"
"""The key of the row that adds up a currency."""


class Kind(StrEnum):
    """How a figure is to be read."""

    COUNT = "count"
    MONEY = "money_minor"
    RATE_OF_COUNT = "rate_of_count"
    RATE_OF_MONEY = "rate_of_money_minor"
    DAYS = "mean_days"
    POINTS = "points"
    WORD = "word"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share with its denominator, exact until somebody prints it."""

    part: int
    whole: int

    @property
    def value(self) -> Decimal | None:
        """Four decimals; None where there is nothing to take a share of."""
        if self.whole == 0:
            return None
        return (Decimal(self.part) / Decimal(self.whole)).quantize(Decimal("0.0001"), ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean time with the number of cases it is taken over, exact until somebody prints it."""

    seconds: int
    cases: int

    @property
    def value(self) -> Decimal | None:
        """Days with four decimals; None where there is no case."""
        if self.cases == 0:
            return None
        return (Decimal(self.seconds) / Decimal(self.cases) / 86400).quantize(Decimal("0.0001"), ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """A difference of rates in points, two decimals; None where there is nothing to compare."""

    value: Decimal | None


Figure = int | Rate | Mean | Points | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One figure: its name in exports, its label, and the sentence that defines it. ``group`` keeps tables narrow on paper."""

    name: str
    label: str
    kind: Kind
    definition: str
    group: str


def column(name: str, label: str, kind: Kind, group: str, definition: str) -> Column:
    """The same, short enough for a list of them."""
    return Column(name=name, label=label, kind=kind, definition=definition, group=group)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The figures of one key in one currency, by column name."""

    key: str
    currency: str
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One view of the report. ``key_label`` names what the rows are."""

    name: str
    title: str
    key_label: str
    definition: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of columns, in order."""
        return tuple(dict.fromkeys(column.group for column in self.columns))

    def of_group(self, group: str) -> tuple[Column, ...]:
        """The columns of one group."""
        return tuple(column for column in self.columns if column.group == group)


def shown(figure: Figure, kind: Kind, currency: str) -> str:
    """A figure as people read it, the denominator of a rate included; the currency stands at the head of its row."""
    if isinstance(figure, Rate):
        if figure.value is None:
            return "–"
        whole = amount(figure.whole, currency) if kind is Kind.RATE_OF_MONEY else f"{figure.whole:,}"
        return f"{figure.value * 100:.1f} % of {whole}"
    if isinstance(figure, Mean):
        return "–" if figure.value is None else f"{figure.value:.1f} days of {figure.cases:,}"
    if isinstance(figure, Points):
        return "–" if figure.value is None else f"{figure.value:+.2f} points"
    if isinstance(figure, str):
        return figure
    return amount(figure, currency) if kind is Kind.MONEY else f"{figure:,}"


def amount(minor: int, currency: str) -> str:
    """An amount with as many decimals as its currency has."""
    return f"{Decimal(minor).scaleb(-exponent(currency)):,f}"


def money(minor: int, currency: str) -> str:
    """An amount with its currency and as many decimals as that has: 1,234.50 USD, 1,234 JPY."""
    return f"{amount(minor, currency)} {currency.upper()}"
