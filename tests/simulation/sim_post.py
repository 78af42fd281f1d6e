"""Delivers the gateway's events: at least once, unordered, late, twice, or never. Without it every webhook would arrive politely."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sim_clocks import Clocks
from sim_faults import Crashed, Faults
from sqlalchemy import Engine

from recovery.gateways.port import Gateway, Notice
from recovery.intake.receive import receive

KINDS = frozenset(
    {
        "invoice.payment_failed",
        "invoice.paid",
        "invoice.updated",
        "invoice.voided",
        "invoice.marked_uncollectible",
        "invoice_payment.paid",
        "charge.failed",
        "charge.refunded",
        "charge.dispute.created",
        "charge.dispute.closed",
        "customer.subscription.deleted",
        "customer.updated",
        "payment_method.automatically_updated",
        "payment_method.attached",
        "payment_method.detached",
        "payment_method.updated",
    }
)


@dataclass
class Post:
    """Events on their way. ``lost`` are those that nobody will ever be told of."""

    clocks: Clocks
    faults: Faults
    say: Callable[[str], None]
    notices: dict[str, Notice] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    accepted: dict[str, datetime] = field(default_factory=dict)
    """When each event was first accepted, in business time."""
    _due: list[tuple[float, int, str]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def put(self, notice: Notice) -> None:
        """Send an event on its way, whatever befalls it there."""
        self.notices[notice.id] = notice
        fault = self.faults.chosen("webhook_lost", "webhook_days_late", "webhook_late")
        if fault == "webhook_lost":
            self.lost.add(notice.id)
            self.say(f"  webhook {notice.id} {notice.kind} will be lost")
            return
        dice = self.faults.dice.of("post")
        late = {"webhook_late": dice.uniform(30, 7200), "webhook_days_late": dice.uniform(1, 4) * 86400}
        self._queue(notice.id, late.get(fault or "", dice.uniform(0, 5)))
        if self.faults.strikes("webhook_doubled"):
            self._queue(notice.id, dice.uniform(0, 86400))

    def _queue(self, notice_id: str, seconds: float) -> None:
        due = self.clocks.at + timedelta(seconds=seconds)
        heapq.heappush(self._due, (due.timestamp(), next(self._numbers), notice_id))

    def lose_all(self) -> None:
        """Whatever is on its way never arrives."""
        self.lost |= {notice_id for _, _, notice_id in self._due}
        self._due.clear()

    @property
    def next_due(self) -> float | None:
        """When the next delivery is due, as a timestamp of business time."""
        return self._due[0][0] if self._due else None

    def deliver(self, database: Engine, gateway: Gateway, *, most: int, eager: bool = False) -> int:
        """Deliver what is due, at most so many; ``eager`` overtakes what only dawdles. Returns how many arrived."""
        arrived = 0
        while self._due and arrived < most:
            if self._due[0][0] > self.clocks.at.timestamp() + (10 if eager else 0):
                break
            _, _, notice_id = heapq.heappop(self._due)
            arrived += self._one(database, gateway, notice_id)
        return arrived

    def _one(self, database: Engine, gateway: Gateway, notice_id: str) -> int:
        try:
            receipt = receive(
                database, gateway, notice_id.encode(), "signed", kinds=KINDS, machine_now=self.clocks.machine()
            )
        except Crashed:
            self.say(f"  webhook {notice_id}: the web process died; delivered again")
            self._queue(notice_id, 60)
            return 0
        self.accepted.setdefault(notice_id, self.clocks.at)
        self.say(f"  webhook {notice_id} {self.notices[notice_id].kind}: {receipt.value}")
        return 1
