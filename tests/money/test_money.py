"""Amounts are exact, and currencies never mix."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.money import Money, exponent, parse_money

CURRENCIES = st.sampled_from(["usd", "eur", "jpy", "krw", "kwd", "bhd", "isk", "brl"])


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (4900, "usd", "49.00 USD"),
        (4900, "jpy", "4900 JPY"),
        (4900, "kwd", "4.900 KWD"),
        (5, "eur", "0.05 EUR"),
        (0, "clp", "0 CLP"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(minor: int, currency: str, shown: str) -> None:
    assert str(Money(minor=minor, currency=currency)) == shown


@given(st.integers(min_value=-(10**15), max_value=10**15), CURRENCIES)
def test_what_is_shown_reads_back_to_the_same_amount(minor: int, currency: str) -> None:
    money = Money(minor=minor, currency=currency)
    assert parse_money(f"{money.major():f}", currency) == money


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), CURRENCIES)
def test_adding_and_taking_away_are_exact(one: int, two: int, currency: str) -> None:
    first, second = Money(minor=one, currency=currency), Money(minor=two, currency=currency)
    assert first + second - second == first
    assert (first + second).major() == first.major() + second.major()


def test_currencies_are_never_added_up() -> None:
    with pytest.raises(ValueError, match="never added up"):
        Money(minor=1, currency="usd") + Money(minor=1, currency="eur")


@pytest.mark.parametrize("currency", ["USD", "us", "dollar", "", "ÜSD"])
def test_a_currency_is_a_lower_case_code(currency: str) -> None:
    with pytest.raises(ValueError, match="currency"):
        Money(minor=1, currency=currency)


@pytest.mark.parametrize("minor", [1.0, True, "1", None, Decimal(1)])
def test_minor_units_are_integers(minor: object) -> None:
    with pytest.raises(ValueError, match="integer"):
        Money(minor=minor, currency="usd")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("49.001", "usd"),
        ("1.5", "jpy"),
        ("0.0001", "kwd"),
        ("lots", "usd"),
        ("NaN", "usd"),
        ("Infinity", "usd"),
        ("1e999999999", "usd"),
        ("", "usd"),
    ],
)
def test_what_cannot_be_exact_is_refused(text: str, currency: str) -> None:
    with pytest.raises(ValueError):
        parse_money(text, currency)


def test_currencies_that_the_gateway_keeps_at_two_decimals_stay_there() -> None:
    assert (exponent("isk"), exponent("ugx"), exponent("usd")) == (2, 2, 2)
