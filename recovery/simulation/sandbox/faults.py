"""Faults to switch on: what networks and gateways really do to a payment call and to a webhook.

Without them every test would see a gateway that always answers, once, in order, and the engine's settling of
unknown outcomes would never be exercised.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar, cast, get_args

PayKind = Literal[
    "charge_then_hang",
    "charge_then_500",
    "server_error",
    "reset_before",
    "reset_after",
    "late_charge",
    "slow",
    "conflict",
    "rate_limited",
    "unauthorized",
    "forbidden",
]
WebhookKind = Literal["lost", "doubled", "late", "late_business", "reordered"]
_F = TypeVar("_F", "PayFault", "WebhookFault")
PAY_KINDS: tuple[str, ...] = get_args(PayKind)
WEBHOOK_KINDS: tuple[str, ...] = get_args(WebhookKind)

# Machine seconds where a fault says nothing: long enough to exceed a test's call bound, short enough to wait for.
_PAY_SECONDS = 2.0
_WEBHOOK_SECONDS = 0.3


def _check(kind: str, kinds: tuple[str, ...], seconds: float) -> None:
    if kind not in kinds or seconds < 0:
        raise ValueError(f"no such fault: {kind} for {seconds} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class PayFault:
    """What shall happen to one pay call.

    charge_then_hang: charged, then no answer for `seconds`; charge_then_500: charged, answered 500;
    server_error: 500 without a charge; reset_before / reset_after: the connection breaks before or after charging;
    late_charge: the charge lands `seconds` later; slow: answered after `seconds`; conflict 409, rate_limited 429,
    unauthorized 401, forbidden 403: refused before anything happened.
    """

    kind: PayKind
    seconds: float = _PAY_SECONDS
    invoice: str | None = None
    """Only for this invoice; None: the next pay call of any."""

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown kind or a negative duration (they may come as JSON)."""
        _check(self.kind, PAY_KINDS, self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFault:
    """What shall happen to the delivery of one event.

    lost: never delivered; doubled: delivered twice; late: `seconds` of machine time later; late_business: `seconds`
    of business time later; reordered: held back until later events have overtaken it.
    """

    kind: WebhookKind
    seconds: float = _WEBHOOK_SECONDS
    event_type: str | None = None
    """Only for this type of event; None: the next event of any type."""

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown kind or a negative duration (they may come as JSON)."""
        _check(self.kind, WEBHOOK_KINDS, self.seconds)


class Faults:
    """A queue of faults for the next calls, and probabilities by seed. Safe to use from any thread."""

    def __init__(self, *, probabilities: Mapping[str, float] | None = None, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._pay: deque[PayFault] = deque()
        self._webhook: deque[WebhookFault] = deque()
        self._seed = seed
        self._seconds: dict[str, float] = {}
        self._probabilities: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self.happened: dict[str, int] = {}
        self.set_probabilities(probabilities or {}, seed=seed)

    def set_probabilities(
        self, probabilities: Mapping[str, float], *, seed: int = 0, seconds: Mapping[str, float] | None = None
    ) -> None:
        """Replace the probabilities (fault kind → 0..1). Raises ValueError for an unknown kind or value."""
        for kind, share in probabilities.items():
            if kind not in PAY_KINDS + WEBHOOK_KINDS:
                raise ValueError(f"no such fault: {kind}")
            if not 0 <= share <= 1:
                raise ValueError(f"a probability is between 0 and 1: {kind}={share}")
        with self._lock:
            self._probabilities = dict(probabilities)
            self._seconds = dict(seconds or {})
            self._seed = seed

    def queue(self, faults: Iterable[PayFault | WebhookFault]) -> None:
        """Let these happen next, in order."""
        with self._lock:
            for fault in faults:
                if isinstance(fault, PayFault):
                    self._pay.append(fault)
                else:
                    self._webhook.append(fault)

    def clear(self) -> None:
        """No further faults."""
        with self._lock:
            self._pay.clear()
            self._webhook.clear()
            self._probabilities = {}

    def for_pay(self, invoice: str) -> PayFault | None:
        """The fault of this pay call, if any; taking it uses it up."""
        with self._lock:
            for fault in self._pay:
                if fault.invoice in (None, invoice):
                    self._pay.remove(fault)
                    return self._noted(fault)
            kind = self._drawn(PAY_KINDS, f"pay/{invoice}")
            if kind is None:
                return None
            seconds = self._seconds.get(kind, _PAY_SECONDS)
            return self._noted(PayFault(kind=cast(PayKind, kind), seconds=seconds))

    def for_webhook(self, event_id: str, event_type: str) -> WebhookFault | None:
        """The fault of this event's delivery, if any; taking it uses it up."""
        with self._lock:
            for fault in self._webhook:
                if fault.event_type in (None, event_type):
                    self._webhook.remove(fault)
                    return self._noted(fault)
            kind = self._drawn(WEBHOOK_KINDS, f"webhook/{event_id}")
            if kind is None:
                return None
            seconds = self._seconds.get(kind, _WEBHOOK_SECONDS)
            return self._noted(WebhookFault(kind=cast(WebhookKind, kind), seconds=seconds))

    def _noted(self, fault: _F) -> _F:
        self.happened[fault.kind] = self.happened.get(fault.kind, 0) + 1
        return fault

    def _drawn(self, kinds: tuple[str, ...], scope: str) -> str | None:
        """One throw of dice per call; it depends on the seed and the object, not on other calls."""
        if not self._probabilities:
            return None
        number = self._counts.get(scope, 0)
        self._counts[scope] = number + 1
        digest = hashlib.blake2b(f"{self._seed}/{scope}/{number}".encode(), digest_size=8).digest()
        dice = int.from_bytes(digest, "big") / 2**64
        for kind in kinds:
            share = self._probabilities.get(kind, 0.0)
            if dice < share:
                return kind
            dice -= share
        return None
