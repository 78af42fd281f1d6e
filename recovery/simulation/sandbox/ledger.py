"""What was really charged: the judge of every test.

Without a book of its own, kept apart from the objects the API shows, a mistake in the sandbox's objects would
hide a mistake in the engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

Initiator = Literal["engine", "gateway", "customer", "world"]
Outcome = Literal["succeeded", "declined", "blocked", "processing"]

MovementKind = Literal["refund", "refund_failed", "dispute_opened", "dispute_won", "dispute_lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """On whose behalf something happens, and at which business instant."""

    initiator: Initiator
    at: datetime
    request_id: str | None = None
    idempotency_key: str | None = None

    @property
    def timestamp(self) -> int:
        """Seconds since the epoch, as Stripe writes instants."""
        return int(self.at.timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One authorisation and how it ended."""

    charge: str
    invoice: str
    customer: str
    amount_minor: int
    currency: str
    at: datetime
    outcome: Outcome
    decline_code: str | None
    payment_method: str
    fingerprint: str
    initiator: Initiator
    on_session: bool
    idempotency_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Money going back: a refund, or a dispute's steps."""

    kind: MovementKind
    id: str
    charge: str
    invoice: str | None
    amount_minor: int
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPay:
    """A pay call on an obligation that was settled already: only the gateway's guard prevented a double charge."""

    invoice: str
    status: str
    at: datetime
    initiator: Initiator
    idempotency_key: str | None


class Ledger:
    """Append-only; guarded by the store's lock."""

    def __init__(self) -> None:
        self.entries: list[LedgerEntry] = []
        self.movements: list[Movement] = []
        self.refused: list[RefusedPay] = []

    def succeeded(self) -> Iterable[LedgerEntry]:
        """Every charge that moved money."""
        return (entry for entry in self.entries if entry.outcome == "succeeded")

    def charged_twice(self) -> list[str]:
        """Invoices with more than one successful charge."""
        counts = Counter(entry.invoice for entry in self.succeeded())
        return sorted(invoice for invoice, number in counts.items() if number > 1)

    def totals(self) -> dict[str, dict[str, int]]:
        """Minor units and counts per currency and initiator; refunds and lost disputes apart."""
        totals: dict[str, Counter[str]] = {}
        for entry in self.succeeded():
            total = totals.setdefault(entry.currency, Counter())
            total["charged_minor"] += entry.amount_minor
            total["charges"] += 1
            total[f"charged_by_{entry.initiator}_minor"] += entry.amount_minor
        for movement in self.movements:
            total = totals.setdefault(movement.currency, Counter())
            name = {"refund": "refunded_minor"}.get(movement.kind, f"{movement.kind}_minor")
            total[name] += movement.amount_minor
        return {currency: dict(sorted(total.items())) for currency, total in sorted(totals.items())}

    def as_json(self) -> dict[str, Any]:
        """The whole book, instants as ISO strings."""

        def plain(item: LedgerEntry | Movement | RefusedPay) -> dict[str, Any]:
            return {**asdict(item), "at": item.at.isoformat()}

        return {
            "charges": [plain(entry) for entry in self.entries],
            "refunds": [plain(item) for item in self.movements if item.kind.startswith("refund")],
            "disputes": [plain(item) for item in self.movements if item.kind.startswith("dispute")],
            "refused_pays": [plain(item) for item in self.refused],
            "totals": self.totals(),
            "charged_twice": self.charged_twice(),
        }
