"""Talks to the sandbox's control plane. Without it the driver could neither move the world along nor read its ledger."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from urllib3 import BaseHTTPResponse, connection_from_url
from urllib3.exceptions import HTTPError

TIMEOUT_SECONDS = 60.0
"""Playing one instant may renew many subscriptions at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldState:
    """What the sandbox has under way: webhooks not yet taken, requests not yet answered, and its next event."""

    next_due_at: datetime | None
    pending_webhooks: int
    in_flight_requests: int
    delivered: int

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        return self.pending_webhooks == 0 and self.in_flight_requests == 0


class WorldLink:
    """Kept connections to the sandbox, straight through urllib3: the driver asks thousands of times, and half of each asking would go
    into what a client for foreign servers has to think of. Raises urllib3.exceptions.HTTPError when the sandbox is gone.
    """

    def __init__(self, base_url: str) -> None:
        self._pool = connection_from_url(base_url, timeout=TIMEOUT_SECONDS, retries=False, maxsize=2)

    def state(self) -> WorldState:
        """Read what is under way."""
        return _state(self._get("/_sandbox/state"))

    def play(self, until: datetime) -> WorldState:
        """Perform all that is due in the world up to an instant."""
        return _state(self._post("/_sandbox/play", {"until": until.isoformat()}))

    def ledger(self) -> dict[str, Any]:
        """The sandbox's own book of what was really charged."""
        return self._get("/_sandbox/ledger")

    def mail(self, address: str) -> None:
        """Tell the world that an email with a payment link arrived."""
        self._post("/_sandbox/mail", {"to": address})

    def faults(self, wish: dict[str, Any]) -> None:
        """Switch faults on."""
        self._post("/_sandbox/faults", wish)

    def close(self) -> None:
        """Drop the connections."""
        self._pool.close()

    def _get(self, path: str) -> dict[str, Any]:
        return _found(self._pool.request("GET", path))

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return _found(self._pool.request("POST", path, json=body))


def _found(response: BaseHTTPResponse) -> dict[str, Any]:
    if response.status != HTTPStatus.OK:
        raise HTTPError(f"the sandbox answers {response.status}")
    found: dict[str, Any] = response.json()
    return found


def _state(found: dict[str, Any]) -> WorldState:
    due = found["next_due_at"]
    return WorldState(
        next_due_at=datetime.fromisoformat(due) if due else None,
        pending_webhooks=found["pending_webhooks"],
        in_flight_requests=found["in_flight_requests"],
        delivered=found["webhooks"]["delivered"],
    )
