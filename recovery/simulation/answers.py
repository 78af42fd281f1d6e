"""What an issuer answers to one authorisation, and the declines Stripe can report.

Without one table of declines the test gateway, the world and the tests would each invent their own spelling of
the four code signals, and the engine would be judged against contradictions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

from recovery.values import quick


class Verdict(StrEnum):
    """How one authorisation ended."""

    APPROVED = "approved"
    DECLINED = "declined"
    AUTHENTICATION = "authentication"
    """The issuer wants the cardholder: nobody can approve this silently."""
    PROCESSING = "processing"
    """Not known yet; it settles later without a further call."""
    BLOCKED = "blocked"
    """The gateway refused it by itself; the network never saw it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One issuer's answer with every signal that Stripe passes on."""

    verdict: Verdict
    code: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    network_decline_code: str | None = None
    network_advice_code: str | None = None
    reason: str | None = None
    """`outcome.reason`; for most declines the same as the decline code."""
    latency_seconds: float = 0.0
    """Machine seconds the issuer takes; spent without holding any lock."""
    settles: Answer | None = None
    """What a processing payment becomes later; None: approved."""

    def __hash__(self) -> int:
        return hash(
            (self.decline_code, self.network_decline_code, self.network_advice_code)
        )  # enough to tell most apart


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class CardOnFile:
    """The card details a charge is sent with."""

    payment_method: str
    fingerprint: str
    brand: str
    funding: str
    country: str
    exp_month: int
    exp_year: int
    last4: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PastTry:
    """One earlier authorisation on the same fingerprint."""

    at: datetime
    approved: bool
    amount_minor: int
    reached_network: bool
    decline_code: str | None
    initiator: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """The question put to an issuer."""

    card: CardOnFile
    customer: str
    invoice: str
    amount_minor: int
    currency: str
    at: datetime
    on_session: bool
    history: tuple[PastTry, ...]


class Bank(Protocol):
    """Whoever answers authorisations: a world, or a test's script."""

    def answer(self, question: Authorization) -> Answer:
        """Answer one authorisation; must not block and must be a pure function of its argument."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    code: str = "card_declined"
    advice: str | None = None
    network: str | None = None
    mastercard_advice: str | None = None


# advice: what Stripe's `advice_code` says; network: the ISO 8583 answer a Visa issuer gives most often for this
# reason; mastercard_advice: the merchant advice code (01 new details, 02 later, 03 never, 21 payment cancelled).
_LATER = "try_again_later"
_NEVER = "do_not_try_again"
_CONFIRM = "confirm_card_data"
DECLINES: dict[str, _Shape] = {
    "insufficient_funds": _Shape(advice=_LATER, network="51", mastercard_advice="02"),
    "card_velocity_exceeded": _Shape(advice=_LATER, network="65", mastercard_advice="02"),
    "withdrawal_count_limit_exceeded": _Shape(advice=_LATER, network="61", mastercard_advice="02"),
    "issuer_not_available": _Shape(advice=_LATER, network="91", mastercard_advice="02"),
    "processing_error": _Shape(code="processing_error", advice=_LATER, network="96"),
    "reenter_transaction": _Shape(advice=_LATER, network="19"),
    "approve_with_id": _Shape(advice=_LATER, network="08"),
    "try_again_later": _Shape(advice=_LATER, network="96", mastercard_advice="02"),
    "do_not_honor": _Shape(advice=_LATER, network="05", mastercard_advice="02"),
    "generic_decline": _Shape(network="05"),
    "call_issuer": _Shape(network="01"),
    "no_action_taken": _Shape(network="21"),
    "security_violation": _Shape(network="63"),
    "service_not_allowed": _Shape(network="57"),
    "not_permitted": _Shape(network="58"),
    "expired_card": _Shape(code="expired_card", advice=_CONFIRM, network="54", mastercard_advice="01"),
    "new_account_information_available": _Shape(advice=_CONFIRM, network="79", mastercard_advice="01"),
    "invalid_account": _Shape(advice=_CONFIRM, network="14", mastercard_advice="03"),
    "incorrect_number": _Shape(code="incorrect_number", advice=_CONFIRM, network="14"),
    "invalid_number": _Shape(code="invalid_number", advice=_CONFIRM, network="14"),
    "invalid_expiry_month": _Shape(code="invalid_expiry_month", advice=_CONFIRM),
    "invalid_expiry_year": _Shape(code="invalid_expiry_year", advice=_CONFIRM, network="54"),
    "incorrect_cvc": _Shape(code="incorrect_cvc", advice=_CONFIRM, network="N7"),
    "invalid_cvc": _Shape(code="invalid_cvc", advice=_CONFIRM, network="N7"),
    "incorrect_zip": _Shape(code="incorrect_zip", advice=_CONFIRM),
    "incorrect_address": _Shape(code="incorrect_address", advice=_CONFIRM),
    "card_not_supported": _Shape(advice=_NEVER, network="57"),
    "currency_not_supported": _Shape(),
    "authentication_required": _Shape(code="authentication_required", network="65"),
    "lost_card": _Shape(advice=_NEVER, network="41", mastercard_advice="03"),
    "stolen_card": _Shape(advice=_NEVER, network="43", mastercard_advice="03"),
    "pickup_card": _Shape(advice=_NEVER, network="04", mastercard_advice="03"),
    "restricted_card": _Shape(advice=_NEVER, network="62", mastercard_advice="03"),
    "fraudulent": _Shape(advice=_NEVER, network="59", mastercard_advice="03"),
    "merchant_blacklist": _Shape(advice=_NEVER),
    "stop_payment_order": _Shape(advice=_NEVER, network="R0", mastercard_advice="21"),
    "revocation_of_authorization": _Shape(advice=_NEVER, network="R1", mastercard_advice="21"),
    "revocation_of_all_authorizations": _Shape(advice=_NEVER, network="R3", mastercard_advice="21"),
    "transaction_not_allowed": _Shape(advice=_NEVER, network="57", mastercard_advice="03"),
    "do_not_try_again": _Shape(advice=_NEVER, network="15", mastercard_advice="03"),
}

# The nine codes after which Stripe itself refuses a further silent try on the same details (its decline-code page).
GATEWAY_REFUSES_AFTER = frozenset(
    {
        "incorrect_number",
        "lost_card",
        "pickup_card",
        "stolen_card",
        "revocation_of_authorization",
        "revocation_of_all_authorizations",
        "authentication_required",
        "highest_risk_level",
        "transaction_not_allowed",
    }
)

APPROVE = Answer(verdict=Verdict.APPROVED)
PROCESSING = Answer(verdict=Verdict.PROCESSING)
NOT_SENT = Answer(
    verdict=Verdict.BLOCKED,
    code="card_declined",
    decline_code="generic_decline",
    reason="previously_declined_do_not_retry",
)
REQUIRES_ACTION = Answer(verdict=Verdict.AUTHENTICATION, code="invoice_payment_intent_requires_action")
"""The cardholder is asked for before anything is sent to the issuer: no charge is made."""
HIGHEST_RISK = Answer(
    verdict=Verdict.BLOCKED, code="card_declined", decline_code="fraudulent", reason="highest_risk_level"
)


@lru_cache(maxsize=1024)
def decline(decline_code: str, *, brand: str = "visa", network_codes: bool = True) -> Answer:
    """The usual form of one decline as Stripe reports it for that brand.

    An unlisted decline code gives a plain `card_declined` carrying it, so that tests can invent new codes.
    """
    shape = DECLINES.get(decline_code, _Shape())
    verdict = Verdict.AUTHENTICATION if decline_code == "authentication_required" else Verdict.DECLINED
    answer = Answer(
        verdict=verdict,
        code=shape.code,
        decline_code=decline_code,
        advice_code=shape.advice,
        reason=decline_code,
    )
    if not network_codes:
        return answer
    return replace(
        answer,
        network_decline_code=shape.network,
        network_advice_code=shape.mastercard_advice if brand == "mastercard" else None,
    )


def named(name: str, *, brand: str = "visa") -> Answer:
    """The answer a test's script means by a word: `approve`, `processing`, `blocked`, `requires_action`, or a decline code.

    `processing_then_insufficient_funds` is a payment that stays open for a while and fails then.
    """
    fixed = {
        "approve": APPROVE,
        "processing": PROCESSING,
        "blocked": NOT_SENT,
        "requires_action": REQUIRES_ACTION,
        "previously_declined_do_not_retry": NOT_SENT,
        "highest_risk_level": HIGHEST_RISK,
    }
    if name in fixed:
        return fixed[name]
    if name.startswith("processing_then_"):
        return replace(PROCESSING, settles=decline(name.removeprefix("processing_then_"), brand=brand))
    return decline(name, brand=brand)
