"""Amounts of money. Without this module a yen would be a hundred yen and a cent could get lost in a float."""

from dataclasses import dataclass
from decimal import Decimal, DecimalException
from typing import Final

# ISO 4217 exponents other than two, as the card gateways use them. Stripe treats ISK and UGX as two-decimal
# for backwards compatibility (docs.stripe.com/currencies, "Special cases"), so they are not listed.
_EXPONENTS: Final = {
    **dict.fromkeys(
        (
            "bif",
            "clp",
            "djf",
            "gnf",
            "jpy",
            "kmf",
            "krw",
            "mga",
            "pyg",
            "rwf",
            "vnd",
            "vuv",
            "xaf",
            "xof",
            "xpf",
        ),
        0,
    ),
    **dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 3),
}


def exponent(currency: str) -> int:
    """Number of decimals of a currency's minor unit: usd 2, jpy 0, kwd 3."""
    return _EXPONENTS.get(currency, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An exact amount: integer minor units and a lower-case ISO 4217 currency.

    Raises ValueError for anything else, and when amounts of different currencies are combined.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.minor, int) or isinstance(self.minor, bool):
            raise ValueError(f"an amount is an integer of minor units, not {self.minor!r}")
        if len(self.currency) != 3 or not self.currency.isascii() or not self.currency.islower():
            raise ValueError(f"a currency is three lower-case letters, not {self.currency!r}")

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(minor=self.minor + other.minor, currency=self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(minor=self.minor - other.minor, currency=self.currency)

    def __str__(self) -> str:
        return f"{self.major():f} {self.currency.upper()}"

    def major(self) -> Decimal:
        """The amount in major units, exactly: 4900 usd is 49.00, 4900 jpy is 4900, 4900 kwd is 4.900."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} are never added up")


def parse_money(amount: str, currency: str) -> Money:
    """Read an amount in major units as a person writes it ("49.00"), exactly.

    Raises ValueError when it is no number or has more decimals than the currency.
    """
    code = currency.lower()
    try:
        scaled = Decimal(amount).scaleb(exponent(code))
    except DecimalException as error:
        raise ValueError(f"{amount!r} is not an amount; write it like 49.00") from error
    if not scaled.is_finite():
        raise ValueError(f"{amount!r} is not an amount; write it like 49.00")
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount!r} has more decimals than {code.upper()} allows ({exponent(code)})")
    return Money(minor=int(scaled), currency=code)
