"""Shares what was read at the gateway among the events of one batch. Without it a failed payment would be read two or three times over:
several events tell of each, and arrive together.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from recovery.cases.obligation import Obligation
from recovery.gateways.port import Gateway

FRESH = timedelta(seconds=2)
"""How long a reading is shared (machine time). All that a batch's events tell had happened before the first was read for; the bound is
for what happens meanwhile, which has events of its own."""


class Readings:
    """The readings of one batch; it ends with it."""

    def __init__(self, gateway: Gateway, machine_clock: Callable[[], datetime]) -> None:
        self._gateway = gateway
        self._machine_clock = machine_clock
        self._obligations: dict[str, tuple[datetime, Obligation]] = {}
        self._of_payments: dict[str, str] = {}

    def obligation(self, name: str) -> Obligation:
        """As ``Gateway.read_obligation``, or as it was read for another event just now."""
        now = self._machine_clock()
        read_at, found = self._obligations.get(name, (None, None))
        if read_at is None or found is None or now - read_at > FRESH:
            found = self._gateway.read_obligation(name)
            self._obligations[name] = (now, found)  # as old as its first question
        return found

    def obligation_of(self, *, payment_intent: str | None, charge: str | None) -> str | None:
        """As ``Gateway.obligation_of``. Which obligation a payment belongs to never changes."""
        known = None if payment_intent is None else self._of_payments.get(payment_intent)
        found = known or self._gateway.obligation_of(payment_intent=payment_intent, charge=charge)
        if payment_intent is not None and found is not None:
            self._of_payments[payment_intent] = found
        return found
