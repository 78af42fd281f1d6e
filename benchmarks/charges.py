"""How many charges one worker process keeps going while the gateway takes half a second for each, and in how much memory.

Run: ``python benchmarks/charges.py [charges]``. The gateway is a stand-in in the same process that sleeps and declines: what is
measured is ours: claims, intents, bookings, leases. The limit is threads / latency; the ratio to it repeats on any machine.
"""

import contextlib
import logging
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import psutil
import structlog

from recovery.cases.answers import Answer, Declined
from recovery.cases.facts import PaymentFailed
from recovery.cases.lifecycle import StepKind
from recovery.cases.obligation import Charge, ChargeStatus, Obligation, ObligationStatus
from recovery.cases.updating import UpdaterWay
from recovery.cases.wallet import Wallet
from recovery.charging.breaker import Breaker
from recovery.charging.charge import ChargeCard
from recovery.charging.refresh import RefreshCard
from recovery.declines.signals import Card, Initiator, Signals
from recovery.engine.advance import open_case
from recovery.engine.claims import Performer, perform_due
from recovery.engine.door import Door
from recovery.engine.leases import LeaseKeeper
from recovery.gateways.port import ChargeOrder, Gateway
from recovery.money import Money
from recovery.runtime.celery_app import POOL_MAX
from recovery.runtime.clock import machine_now
from recovery.runtime.embedded import embedded_postgres
from recovery.runtime.settings import Settings
from recovery.runtime.wiring import ROUNDS, Wiring
from recovery.storage.backlog_queries import backlog
from recovery.storage.migrate import upgrade

LATENCY_SECONDS = 0.5
THREADS = 96
"""As RECOVERY_THREADS: twice what a hundred charges a second need at this latency, as a thread also waits for its turn."""
MONDAY = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)
SIGNALS = Signals(error_code="card_declined", decline_code="insufficient_funds")


@dataclass
class Sleepy:
    """A gateway that takes its time over each charge and declines it."""

    owed: dict[str, Obligation] = field(default_factory=dict)
    call_bound_seconds: float = 60.0
    updater: UpdaterWay = UpdaterWay.PASSIVE
    charges: int = 0

    def read_obligation(self, name: str) -> Obligation:
        return self.owed[name]

    def read_wallet(self, obligation: Obligation) -> Wallet:
        return Wallet(default=obligation.card)

    def read_owed(self, name: str) -> tuple[Obligation, Wallet]:
        return self.owed[name], self.read_wallet(self.owed[name])

    def charge(self, order: ChargeOrder) -> Answer:
        time.sleep(LATENCY_SECONDS)
        self.charges += 1
        return Declined(signals=SIGNALS, charge_id=f"ch_{order.key}")


def failed(number: int) -> tuple[Charge, Obligation]:
    card = Card(
        payment_method=f"pm_{number}",
        brand="visa",
        funding="credit",
        country="US",
        last4="4242",
        fingerprint=f"fp_{number}",
    )
    amount = Money(minor=4900, currency="usd")
    charge = Charge(
        id=f"ch_{number}",
        status=ChargeStatus.FAILED,
        amount=amount,
        created_at=MONDAY,
        card=card,
        signals=SIGNALS,
        initiator=Initiator.GATEWAY,
    )
    owed = Obligation(
        id=f"in_{number}",
        customer=f"cus_{number}",
        status=ObligationStatus.OPEN,
        remaining=amount,
        livemode=False,
        charge_automatically=True,
        billing_reason="subscription_cycle",
        created_at=MONDAY,
        card=card,
        charges=(charge,),
    )
    return charge, owed


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with contextlib.ExitStack() as held:
        home = held.enter_context(tempfile.TemporaryDirectory())
        url = held.enter_context(embedded_postgres(Path(home) / "postgres")).url
        upgrade(url)
        at = [MONDAY]
        wiring = Wiring(Settings(_env_file=None), url, pool_size=POOL_MAX)  # type: ignore[call-arg]
        held.callback(wiring.database.dispose)
        wiring.rulebook.keep_current(wiring.database, machine_now=machine_now())
        door = Door(database=wiring.database, rulebook=wiring.rulebook, clock=lambda: at[0], machine_clock=machine_now)
        sleepy = Sleepy()
        gateway = cast(Gateway, sleepy)
        for number in range(wanted):
            charge, owed = failed(number)
            sleepy.owed[owed.id] = owed
            open_case(door, PaymentFailed(charge=charge, obligation=owed), gateway="stripe")
        keeper = LeaseKeeper()
        performers: dict[StepKind, Performer] = {
            StepKind.REFRESH_CARD: RefreshCard(door, gateway),
            StepKind.CHARGE_CARD: ChargeCard(door, gateway, Breaker(machine_now)),
        }
        ways: dict[str, Any] = {"batch": ROUNDS * THREADS, "threads": THREADS, "keeper": keeper}
        while perform_due(door, {StepKind.REFRESH_CARD: performers[StepKind.REFRESH_CARD]}, **ways):
            pass
        best, process = 0.0, psutil.Process()
        cpu = process.cpu_times()
        busy = began = time.monotonic()
        while sleepy.charges < wanted:
            with wiring.database.connect() as tx:
                due_at = backlog(tx, moment=door.moment()).next_due_at
            assert due_at is not None
            at[0] = max(at[0], due_at + timedelta(minutes=30))
            busy, before = time.monotonic(), sleepy.charges
            while perform_due(door, performers, **ways):
                pass
            done, seconds = sleepy.charges - before, time.monotonic() - busy
            if done >= 2 * THREADS:
                best = max(best, done / seconds)
        after = process.cpu_times()
        spent = (after.user + after.system - cpu.user - cpu.system) / sleepy.charges
        limit = THREADS / LATENCY_SECONDS
        print(
            f"{sleepy.charges} charges at {LATENCY_SECONDS} s latency, {THREADS} threads, {time.monotonic() - began:.1f} s"
        )
        print(
            f"best stretch {best:.0f} charges/s, {best / limit:.2f} of the limit {limit:.0f}/s; {spent * 1000:.1f} ms of processor each"
        )
        print(f"memory {process.memory_info().rss / 2**20:.0f} MB")


if __name__ == "__main__":
    main()
