"""The cash figures of a month in one currency, at booked rates that stand beside them. The only place where currencies meet."""

from collections.abc import Sequence
from typing import Final

from recovery.reporting import definitions
from recovery.reporting.figures import net_of
from recovery.reporting.rates import Rates
from recovery.reporting.table import Figure, Kind, Row, Table, column
from recovery.reporting.views import View, table_of
from recovery.storage.report_sums import CashSum

_NAMES: Final = ("recovered_minor", "credited_minor", "refunded_minor", "disputed_minor", "fee_minor")
COLUMNS: Final = (
    *(one for one in definitions.CASH if one.name in (*_NAMES, "net_minor")),
    column(
        "rates",
        "Booked rates",
        Kind.WORD,
        "Money",
        "What one main unit was worth in that month, as finance booked it; a currency without a rate is left out and named.",
    ),
)


def converted_table(cash: Sequence[CashSum], rates: Rates | None) -> Table:
    """Month by month; no row without rates. Each currency's sum is converted once and rounded half up."""
    months = sorted({one.key for one in cash}) if rates is not None else []
    rows = [_row(month, [one for one in cash if one.key == month], rates) for month in months if rates is not None]
    return table_of(View.CONVERTED, COLUMNS, rows)


def _row(month: str, cash: Sequence[CashSum], rates: Rates) -> Row:
    sums = dict.fromkeys(_NAMES, 0)
    words = []
    for one in cash:
        rate = rates.rate(month, one.currency)
        if rate is None:
            words.append(f"{one.currency.upper()} left out: no rate")
            continue
        if one.currency != rates.currency:
            words.append(f"1 {one.currency.upper()} = {rate.normalize():f} {rates.currency.upper()}")
        for name in _NAMES:
            sums[name] += rates.converted(getattr(one, name), month, one.currency) or 0
    figures: dict[str, Figure] = {**sums, "net_minor": net_of(sums), "rates": "; ".join(words) or "–"}
    return Row(key=month, currency=rates.currency, figures=figures)
