"""One currency at booked rates: exact, rounded once, and never without a rate."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from recovery.reporting.converted import converted_table
from recovery.reporting.rates import RatesInvalid, read_rates
from recovery.storage.report_sums import CashSum


def cash(currency: str, minor: int, month: str = "2026-10", **others: Any) -> CashSum:
    names = (name for name in CashSum.__dataclass_fields__ if name not in ("key", "currency"))
    return CashSum(key=month, currency=currency, **(dict.fromkeys(names, 0) | {"recovered_minor": minor} | others))


@pytest.fixture
def rates(tmp_path: Path) -> Path:
    path = tmp_path / "rates.csv"
    path.write_text("month,currency,rate\n2026-10,JPY,0.006651\n2026-10,kwd,3.25\n2026-11,jpy,0.0070\n")
    return path


def test_each_currency_is_converted_at_the_months_rate_and_rounded_once(rates: Path) -> None:
    found = converted_table(
        [
            cash("usd", 1000, refunded_minor=100),
            cash("jpy", 1980),
            cash("kwd", 12345),
            cash("eur", 5000),
            cash("jpy", 1000, "2026-11"),
        ],
        read_rates(rates, currency="usd"),
    )
    october, november = found.rows
    assert october.figures["recovered_minor"] == 1000 + 1317 + 4012  # 13.16898 and 40.12125 dollars
    assert october.figures["net_minor"] == 1000 + 1317 + 4012 - 100
    assert october.figures["rates"] == "1 JPY = 0.006651 USD; 1 KWD = 3.25 USD; EUR left out: no rate"
    assert (november.key, november.figures["recovered_minor"]) == ("2026-11", 700)


def test_without_rates_nothing_is_converted() -> None:
    assert converted_table([cash("usd", 1000)], None).rows == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("month,rate\n", ":1: the columns must be"),
        ("month,currency,rate\n2026-10,eur,much\n", ":2: 'much' is no rate"),
        ("month,currency,rate\n2026-10,eur,0\n", ":2: a rate is above zero"),
        ("month,currency,rate\n2026-10,eur,NaN\n", ":2: a rate is above zero"),
        ("month,currency,rate\n2026-10,eur,1\n2026-10,EUR,2\n", ":3: EUR has a rate"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(RatesInvalid, match="rates.csv" + words):
        read_rates(path, currency="usd")
    with pytest.raises(RatesInvalid, match="cannot be read"):
        read_rates(tmp_path / "none.csv", currency="usd")


def test_the_reporting_currency_needs_no_rate(rates: Path) -> None:
    assert read_rates(rates, currency="usd").rate("2020-01", "usd") == Decimal(1)
