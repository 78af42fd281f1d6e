"""The values of one attempt to pay, from the wish to the issuer's answer.

Without them the two halves of an attempt (before and after the issuer's time) would pass a dozen loose arguments.
"""

from __future__ import annotations

from dataclasses import dataclass

from recovery.simulation.answers import Answer, Authorization
from recovery.simulation.sandbox.ledger import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class PayOrder:
    """A wish to pay one invoice."""

    invoice: str
    cause: Cause
    payment_method: str | None = None
    on_session: bool = False
    """The customer is there and can authenticate (the hosted page)."""
    may_authenticate: bool = False
    """The caller could hand an authentication on to the customer (`off_session=false`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A wish, the question it became, and the answer."""

    order: PayOrder
    question: Authorization
    answer: Answer
