"""What can be set on one sandbox.

Without one value for the options every corner of the server would read its own defaults, and two tests of the
same behaviour could run against different gateways.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Shape = Literal["basil", "legacy"]
"""Which generation of objects is spoken; they differ where a payment and its invoice name each other."""

API_VERSIONS: dict[Shape, str] = {"basil": "2025-03-31.basil", "legacy": "2024-06-20"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """Where events are posted, and the secret they are signed with."""

    url: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """Behaviour of one sandbox; the defaults are those of a quiet gateway."""

    shape: Shape = "basil"
    event_shape: Shape | None = None
    """The shape of events where an endpoint was registered under another version; None: the same."""
    restricted_keys: frozenset[str] = frozenset()
    """Keys that may read but not write: a write answers 403."""
    issuer_latency_seconds: float = 0.0
    """Machine seconds each authorisation takes, unless the answer brings its own."""
    blocks_hard_retries: bool = True
    """Refuse a silent try after a hard decline on unchanged details, as Stripe does."""
    saves_lock_timeouts: bool = False
    """Replay a saved `lock_timeout` for its idempotency key (reported of the real gateway, rarely)."""
    gateway_retry_days: tuple[float, ...] = ()
    """Days after a failed first attempt at which the gateway tries again by itself; empty: its retries are off."""
    processing_seconds: float = 3600.0
    """Business seconds after which a processing payment succeeds; an hour is a debit that needs no night."""
    webhook_kinds: frozenset[str] | None = None
    """The types of events that the endpoints are registered for; None: all."""
    webhook_concurrency: int = 4
    """Deliveries under way at once; four keep two cores busy without reordering much."""
    webhook_backoff_seconds: float = 0.1
    """Machine seconds before the first redelivery, doubled each time."""
    webhook_backoff_max_seconds: float = 2.0
    webhook_attempts_max: int = 200
    """Deliveries after which an event is given up; at 2 s apart that is about the length of a demo."""
    webhook_timeout_seconds: float = 10.0


IDEMPOTENCY_KEY_SECONDS = 24 * 3600  # Stripe may drop a key after 24 hours, so the sandbox does exactly then
