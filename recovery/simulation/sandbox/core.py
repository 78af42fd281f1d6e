"""The parts every flow of the sandbox needs, in one value.

Without it each function would carry eight arguments, and two flows could end up with different clocks or books.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from recovery.simulation.answers import Bank
from recovery.simulation.sandbox.agenda import Agenda
from recovery.simulation.sandbox.errors import Json
from recovery.simulation.sandbox.faults import Faults
from recovery.simulation.sandbox.idempotency import IdempotencyKeys
from recovery.simulation.sandbox.ledger import Cause, Initiator, Ledger
from recovery.simulation.sandbox.settings import SandboxOptions, WebhookEndpoint
from recovery.simulation.sandbox.store import Store
from recovery.simulation.sandbox.webhooks import Deliveries


class Core:
    """State and ports of one sandbox. Hold `store.lock` while touching anything but `faults`."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        options: SandboxOptions,
        endpoints: tuple[WebhookEndpoint, ...],
        bank: Bank,
    ) -> None:
        self.now = now
        self.options = options
        self.bank = bank
        self.store = Store()
        self.ledger = Ledger()
        self.faults = Faults()
        self.keys = IdempotencyKeys()
        self.agenda = Agenda()
        self.deliveries = Deliveries(endpoints, options)
        self.base_url = "http://sandbox.invalid"
        self.in_flight = 0
        self.silent = False
        self.closing = threading.Event()
        self.mail_listeners: list[Callable[[str, datetime], bool]] = []
        self.charge_listeners: list[Callable[[Json, datetime], None]] = []

    def cause(self, initiator: Initiator, *, request_id: str | None = None, key: str | None = None) -> Cause:
        """On whose behalf something happens now."""
        return Cause(initiator=initiator, at=self.now(), request_id=request_id, idempotency_key=key)
