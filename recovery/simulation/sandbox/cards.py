"""Stripe's test payment methods, and payment methods in general.

Without the documented test names, a person trying the engine by hand could not make a card fail in a known way.
"""

from __future__ import annotations

from dataclasses import dataclass

from recovery.simulation.answers import Answer, named
from recovery.simulation.sandbox.errors import Json, JsonValue
from recovery.simulation.sandbox.store import Store
from recovery.simulation.sandbox.templates import CARD, build, fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCard:
    """One of Stripe's documented test cards: its face, and how it answers for ever."""

    __test__ = False  # pytest would take the name for a test class

    brand: str = "visa"
    last4: str = "4242"
    funding: str = "credit"
    behaviour: str = "approve"


TEST_CARDS: dict[str, TestCard] = {
    "pm_card_visa": TestCard(),
    "pm_card_visa_debit": TestCard(last4="5556", funding="debit"),
    "pm_card_mastercard": TestCard(brand="mastercard", last4="4444"),
    "pm_card_amex": TestCard(brand="amex", last4="8431"),
    "pm_card_discover": TestCard(brand="discover", last4="9424"),
    "pm_card_chargeCustomerFail": TestCard(last4="0341", behaviour="generic_decline"),
    "pm_card_visa_chargeDeclined": TestCard(last4="0002", behaviour="generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": TestCard(last4="9995", behaviour="insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": TestCard(last4="9987", behaviour="lost_card"),
    "pm_card_visa_chargeDeclinedStolenCard": TestCard(last4="9979", behaviour="stolen_card"),
    "pm_card_chargeDeclinedExpiredCard": TestCard(last4="0069", behaviour="expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": TestCard(last4="0127", behaviour="incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": TestCard(last4="0119", behaviour="processing_error"),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": TestCard(last4="6975", behaviour="card_velocity_exceeded"),
    "pm_card_authenticationRequired": TestCard(last4="3184", behaviour="authentication_required"),
    "pm_card_riskLevelHighest": TestCard(last4="4954", behaviour="highest_risk_level"),
}


def new_card(store: Store, *, created: int, scope: str = "", **details: JsonValue) -> Json:
    """A stored card payment method, not attached to anybody; `details` are fields of its `card`.

    Raises KeyError for a field that a card does not have.
    """
    unknown = set(details) - set(CARD)
    if unknown:
        raise KeyError(f"a card has no {sorted(unknown)}")
    card = fresh(CARD) | details
    card["display_brand"] = card["brand"]
    card["networks"]["available"] = [card["brand"]]
    if card["fingerprint"] is None:
        card["fingerprint"] = store.new_id("fp", scope).removeprefix("fp_")[:16]
    return store.add(build("payment_method", store.new_id("pm", scope), created=created, card=card))


def new_debit(store: Store, kind: str, *, created: int, scope: str = "") -> Json:
    """A payment method that is no card (`sepa_debit`, `us_bank_account`)."""
    details = {
        "bank_code": "37040044",
        "country": "DE",
        "last4": "3000",
        "fingerprint": store.new_id("fp", scope),
    }
    method = build("payment_method", store.new_id("pm", scope), created=created, type=kind)
    method[kind] = details
    return store.add(method)


def from_test_name(store: Store, name: str, *, created: int, scope: str = "") -> Json | None:
    """A new payment method for one of Stripe's test names, behaving as documented; None: no such name."""
    test = TEST_CARDS.get(name)
    if test is None:
        return None
    method = new_card(store, created=created, scope=scope, brand=test.brand, last4=test.last4, funding=test.funding)
    store.scripts[method["card"]["fingerprint"]] = [named(test.behaviour, brand=test.brand)]
    return method


def script(store: Store, fingerprint: str, answers: list[str | Answer], *, brand: str) -> None:
    """Let a card answer these in turn; the last one for ever."""
    store.scripts[fingerprint] = [
        answer if isinstance(answer, Answer) else named(answer, brand=brand) for answer in answers
    ]
