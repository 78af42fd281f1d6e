"""The booked rates by which figures are shown in one currency. Without finance's own table, somebody else's rate would be signed."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path

from recovery.money import exponent


class RatesInvalid(ValueError):
    """The file of rates cannot be used; the message names file and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What one main unit of a currency is worth in main units of ``currency``, by month (2026-10) and currency."""

    currency: str
    booked: Mapping[tuple[str, str], Decimal]

    def rate(self, month: str, currency: str) -> Decimal | None:
        """The booked rate; None where none was booked. The reporting currency itself is one."""
        return Decimal(1) if currency == self.currency else self.booked.get((month, currency))

    def converted(self, minor: int, month: str, currency: str) -> int | None:
        """Minor units of the reporting currency, rounded half up; None without a rate."""
        rate = self.rate(month, currency)
        if rate is None:
            return None
        worth = Decimal(minor).scaleb(-exponent(currency)) * rate
        return int(worth.scaleb(exponent(self.currency)).quantize(Decimal(1), ROUND_HALF_UP))


def read_rates(path: Path, *, currency: str) -> Rates:
    """Read a CSV file with the columns month, currency and rate. Raises RatesInvalid."""
    booked: dict[tuple[str, str], Decimal] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not {"month", "currency", "rate"} <= set(reader.fieldnames or ()):
                raise RatesInvalid(f"{path}:1: the columns must be month, currency and rate")
            for row in reader:
                key = (row["month"].strip(), row["currency"].strip().lower())
                if key in booked:
                    raise RatesInvalid(f"{path}:{reader.line_num}: {key[1].upper()} has a rate for {key[0]} already")
                booked[key] = _rate(row["rate"], f"{path}:{reader.line_num}")
    except OSError as error:
        raise RatesInvalid(f"{path}: cannot be read: {error.strerror}") from error
    return Rates(currency=currency, booked=booked)


def _rate(written: str | None, place: str) -> Decimal:
    try:
        rate = Decimal((written or "").strip())
    except InvalidOperation:
        raise RatesInvalid(f"{place}: {written!r} is no rate") from None
    if not rate.is_finite() or rate <= 0:
        raise RatesInvalid(f"{place}: a rate is above zero, not {written}")
    return rate
