"""Idempotency keys as Stripe keeps them: a saved answer is replayed, for a day.

Without this an engine that repeats a call after a timeout would look right here and charge twice in production,
or the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from recovery.simulation.sandbox.errors import key_in_use, key_mismatch
from recovery.simulation.sandbox.settings import IDEMPOTENCY_KEY_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAnswer:
    """The status and body that a repeated call gets."""

    status: int
    body: bytes


@dataclass(slots=True, kw_only=True)
class _Use:
    fingerprint: str
    since: datetime
    answer: SavedAnswer | None = None


class IdempotencyKeys:
    """First use, replay, mismatch, in progress, expiry. Guarded by the store's lock."""

    def __init__(self) -> None:
        self._uses: dict[str, _Use] = {}

    def begin(self, key: str, fingerprint: str, at: datetime) -> SavedAnswer | None:
        """The saved answer, or None when the caller shall execute the request and then call `save` or `forget`.

        `fingerprint` names method, path and parameters. A key older than 24 business hours counts as new.
        Raises Refused: 400 other parameters, 409 the first call has not ended.
        """
        use = self._uses.get(key)
        if use is not None and use.answer is not None and at - use.since >= timedelta(seconds=IDEMPOTENCY_KEY_SECONDS):
            use = None
        if use is None:
            self._uses[key] = _Use(fingerprint=fingerprint, since=at)
            return None
        if use.fingerprint != fingerprint:
            raise key_mismatch(key)
        if use.answer is None:
            raise key_in_use(key)
        return use.answer

    def save(self, key: str, answer: SavedAnswer) -> None:
        """Keep the answer for replays."""
        self._uses[key].answer = answer

    def forget(self, key: str) -> None:
        """The request never started executing: the key stays unused."""
        self._uses.pop(key, None)
