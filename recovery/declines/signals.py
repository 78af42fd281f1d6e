"""What the gateway told about one decline. Without it codes would be compared as loose strings all over the house."""

from dataclasses import dataclass
from enum import StrEnum

from recovery.values import quick


class Initiator(StrEnum):
    """Who started a charge: our engine, the gateway's own retry, or the customer in person."""

    ENGINE = "engine"
    GATEWAY = "gateway"
    CUSTOMER = "customer"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """The signals of one decline, as received. None where the gateway said nothing.

    ``reached_network`` is False only if the gateway itself says that the network never saw the attempt;
    such an attempt counts against no network limit. ``needs_customer`` is True where the gateway's answer itself, whatever its codes,
    says that the payment waits for the customer to authenticate.
    """

    error_code: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    network_decline_code: str | None = None
    network_advice_code: str | None = None
    outcome_type: str | None = None
    outcome_reason: str | None = None
    reached_network: bool = True
    needs_customer: bool = False

    def __hash__(self) -> int:
        # Verdicts are kept by what was told: these tell most declines apart at a third of the cost of all fields.
        return hash((self.decline_code, self.network_decline_code, self.network_advice_code))

    def brief(self) -> str:
        """The codes in one line, for reasons and logs."""
        named = (
            ("", self.decline_code or self.error_code),
            ("network ", self.network_decline_code),
            ("network advice ", self.network_advice_code),
            ("advice ", self.advice_code),
            ("blocked: ", None if self.reached_network else self.outcome_reason or self.outcome_type),
        )
        unnamed = "the gateway waits for the customer" if self.needs_customer else "no code given"
        return ", ".join(label + value for label, value in named if value) or unnamed


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card as the engine knows it: never a number, nothing but what decisions need."""

    payment_method: str
    brand: str | None = None
    funding: str | None = None
    country: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    fingerprint: str | None = None

    @property
    def budget_key(self) -> str:
        """What network budgets are counted by: the fingerprint, or the payment method where none is known."""
        return self.fingerprint or self.payment_method

    def same_details(self, other: "Card | None") -> bool:
        """Whether a charge on ``other`` would present the same details to the issuer.

        What one of the two does not tell is no difference: a field that the gateway left out must not make dead details look fresh.
        """
        if other is self:
            return True
        if other is None:
            return False
        mine = (self.fingerprint, self.exp_month, self.exp_year, self.last4, self.brand)
        theirs = (other.fingerprint, other.exp_month, other.exp_year, other.last4, other.brand)
        numbered = self.fingerprint is not None and other.fingerprint is not None
        if not numbered and self.payment_method != other.payment_method:
            return False
        return mine == theirs or all(
            a == b for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None
        )

    def differences(self, old: "Card") -> tuple[str, ...]:
        """What differs from older details of the same payment method: "expiry 01/2026 → 12/2030"."""
        pairs = (
            ("expiry", old.expiry, self.expiry),
            ("number ending", old.last4, self.last4),
            ("brand", old.brand, self.brand),
        )
        changed = [f"{what} {was or 'unknown'} → {now or 'unknown'}" for what, was, now in pairs if was != now]
        if not changed and old.fingerprint != self.fingerprint:
            changed = ["a new number"]
        return tuple(changed)

    @property
    def expiry(self) -> str | None:
        """The last month of validity, "12/2030"; None where it is not known."""
        return f"{self.exp_month:02d}/{self.exp_year}" if self.exp_month and self.exp_year else None

    def brief(self) -> str:
        """The card in a few words, for reasons: "visa debit ••4242 US"."""
        words = (self.brand, self.funding, f"••{self.last4}" if self.last4 else None, self.country)
        return " ".join(word for word in words if word) or self.payment_method
