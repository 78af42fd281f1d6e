"""One sandbox as a Python value: for tests in the same process and for the server alike.

Without it a test would have to know in which of twenty modules a part of the gateway lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from recovery.simulation.answers import Bank
from recovery.simulation.sandbox.banks import KindBank
from recovery.simulation.sandbox.control import mail, play, state
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.faults import Faults
from recovery.simulation.sandbox.inhabit import Inhabitants
from recovery.simulation.sandbox.ledger import Ledger
from recovery.simulation.sandbox.levers import Levers
from recovery.simulation.sandbox.settings import SandboxOptions, WebhookEndpoint
from recovery.simulation.world.build import World


class Sandbox(Levers):
    """A gateway with customers, cards and invoices, and the ledger that judges. Safe to use from any thread.

    `now` is the business clock; `webhook_endpoints` are pairs of address and signing secret.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        secret_key: str = "sk_test_sandbox",  # noqa: S107 - a name that tests may use, not a secret
        webhook_endpoints: Iterable[tuple[str, str]] = (),
        options: SandboxOptions | None = None,
        bank: Bank | None = None,
    ) -> None:
        endpoints = tuple(WebhookEndpoint(url=url, secret=secret) for url, secret in webhook_endpoints)
        chosen = options or SandboxOptions()
        self.core = Core(now=now, options=chosen, endpoints=endpoints, bank=bank or KindBank())
        self.secret_key = secret_key

    def inhabit(self, world: World) -> None:
        """Let a world's people be this sandbox's customers, and its issuers answer for their cards."""
        Inhabitants(self.core, world).move_in()

    def add_webhook_endpoint(self, url: str, secret: str) -> None:
        """Post events here as well from now on."""
        self.core.deliveries.add(WebhookEndpoint(url=url, secret=secret))

    @property
    def faults(self) -> Faults:
        """The faults to come."""
        return self.core.faults

    @property
    def ledger(self) -> Ledger:
        """What was really charged."""
        return self.core.ledger

    def state(self) -> dict[str, Any]:
        """As `GET /_sandbox/state`."""
        return state(self.core)

    def play(self, until: datetime) -> int:
        """Perform everything due up to `until`, inclusive; the number of acts."""
        return play(self.core, until)

    def mail(self, to: str) -> bool:
        """An email with our link reached this address; whether anybody in the world knows it."""
        return mail(self.core, to)

    def wait_for_webhooks(self, timeout_seconds: float = 10.0) -> bool:
        """Whether every event was acknowledged or given up within the machine time."""
        return self.core.deliveries.wait_until_idle(timeout_seconds)
