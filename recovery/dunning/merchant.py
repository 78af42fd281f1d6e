"""Tells the merchant's app what became of its customers. Without it a banner would ask for money that came an hour ago.

At least once: a message is claimed, posted and only then noted as delivered. What fails waits longer each time; after the last wait it
is given up, visibly, and can be replayed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import requests
import structlog
from sqlalchemy import Engine

from recovery.dunning.standard_webhooks import signed_headers
from recovery.storage.message_store import Message, claim_messages, finish_message

log = structlog.get_logger(__name__)

WAITS_SECONDS = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""How long a message waits after each failure, as Standard Webhooks recommends: about three days in all."""

TIMEOUT_SECONDS = (5.0, 15.0)
"""To connect, and between two pieces of the answer."""

LEASE_SECONDS = 120.0
"""How long a claimed batch may take before its messages come up again."""

BATCH = 5
"""Messages of one claim: five that all time out still end within the lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """Where the merchant's app listens."""

    database: Engine
    url: str
    secrets: tuple[str, ...] = field(repr=False)
    machine_clock: Callable[[], datetime]

    def tell(self) -> int:
        """Deliver one batch of waiting messages; how many were taken up."""
        with self.database.begin() as tx:
            claimed = claim_messages(tx, machine_now=self.machine_clock(), limit=BATCH, lease_seconds=LEASE_SECONDS)
        with requests.Session() as session:
            session.trust_env = False
            for message in claimed:
                self._note(message, self._post(session, message))
        return len(claimed)

    def _post(self, session: requests.Session, message: Message) -> str | None:
        """Deliver; None, or what went wrong in words that name no content."""
        headers = signed_headers(self.secrets, message.id, message.body, at=self.machine_clock())
        headers["Content-Type"] = "application/json"
        try:
            answer = session.post(
                self.url,
                data=message.body,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                stream=True,
            )
            answer.close()
        except requests.RequestException as error:
            return type(error).__name__
        return None if 200 <= answer.status_code < 300 else f"answered {answer.status_code}"

    def _note(self, message: Message, wrong: str | None) -> None:
        now = self.machine_clock()
        with self.database.begin() as tx:
            if wrong is None:
                finish_message(tx, message.id, "delivered", at=now)
            elif message.tries > len(WAITS_SECONDS):
                finish_message(tx, message.id, "given_up", at=now, error=wrong)
                log.error("merchant_not_told", message=message.id, kind=message.kind, error=wrong)
            else:
                again = now + timedelta(seconds=WAITS_SECONDS[message.tries - 1])
                finish_message(tx, message.id, "waiting", at=now, due_at=again, error=wrong)
