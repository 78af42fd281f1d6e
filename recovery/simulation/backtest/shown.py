"""What the gateway and the engine see of a world's cards and answers. Without it each reader would fill the same fields anew."""

from __future__ import annotations

from functools import lru_cache

from recovery.declines.signals import Card, Signals
from recovery.simulation.answers import Answer, CardOnFile, Verdict
from recovery.simulation.world.people import CardFace


@lru_cache(maxsize=64)
def on_file(face: CardFace) -> CardOnFile:
    """A card's details as a charge is sent with them."""
    return CardOnFile(
        payment_method=face.fingerprint,
        fingerprint=face.fingerprint,
        brand=face.brand,
        funding=face.funding,
        country=face.country,
        exp_month=face.exp_month,
        exp_year=face.exp_year,
        last4=face.last4,
    )


@lru_cache(maxsize=64)
def card_of(face: CardFace, payment_method: str) -> Card:
    """A card's details as the engine reads them."""
    return Card(
        payment_method=payment_method,
        brand=face.brand,
        funding=face.funding,
        country=face.country,
        last4=face.last4,
        exp_month=face.exp_month,
        exp_year=face.exp_year,
        fingerprint=face.fingerprint,
    )


@lru_cache(maxsize=4096)
def signals_of(answer: Answer) -> Signals:
    """What the engine reads of a decline."""
    blocked = answer.verdict is Verdict.BLOCKED
    return Signals(
        error_code=answer.code or "card_declined",
        decline_code=answer.decline_code,
        advice_code=answer.advice_code,
        network_decline_code=answer.network_decline_code,
        network_advice_code=answer.network_advice_code,
        outcome_type="blocked" if blocked else "issuer_declined",
        outcome_reason=answer.reason,
        reached_network=not blocked,
    )
