"""The processes of the emails' benchmark: a mail server, a worker, and the stand-in for a gateway that all of them agree on.

Without processes of their own the mail server would take the workers' processor time, and two workers would be one.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import datetime
from functools import cached_property, partial
from multiprocessing.connection import Connection as Pipe
from typing import Any, cast

import structlog
from aiosmtpd.smtp import SMTP
from charges import SIGNALS, failed

from recovery.cases.answers import Answer, Declined
from recovery.cases.obligation import Obligation
from recovery.cases.updating import UpdaterWay
from recovery.cases.wallet import Wallet
from recovery.declines.signals import Signals
from recovery.gateways.port import ChargeOrder, Contact, Gateway
from recovery.runtime.celery_app import DRAIN_SECONDS, POOL_MAX, drain
from recovery.runtime.clock import machine_now
from recovery.runtime.settings import Settings
from recovery.runtime.wiring import Wiring

LOST = Signals(error_code="card_declined", decline_code="lost_card")
SMTP_SECONDS = 0.05
"""What the mail server takes for each email."""
RING_SECONDS = 0.05
"""Far below the bell of production: its wait would hide ours."""


class Taking:
    """The mail server's handler: takes everything and notes who got it when (machine time)."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, datetime]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        await asyncio.sleep(SMTP_SECONDS)
        self.taken.append((envelope.rcpt_tos[0], machine_now()))
        return "250 OK"


def serve_mail(pipe: Pipe) -> None:
    """A process: tell the port, then what was taken whenever it is asked."""

    async def serving() -> None:
        taking = Taking()
        made = partial(SMTP, taking, hostname="mail.example.com")
        server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0, backlog=512)
        pipe.send(server.sockets[0].getsockname()[1])
        while True:
            await asyncio.to_thread(pipe.recv)
            pipe.send(taking.taken)

    with contextlib.suppress(EOFError):
        asyncio.run(serving())


def owed_as(name: str) -> Obligation:
    """The invoice of this name, the same in every process: number 0 and the many like it cannot be paid without the customer."""
    kind, _, number = name.rpartition("_")
    charge, owed = failed(int(number) if kind == "in" else 0)
    card = changed(owed.card, country="DE") if owed.card else None  # one time zone: the same hours are decent for all
    charge = changed(charge, card=card, signals=LOST if charge.id == "ch_0" else SIGNALS)
    return changed(owed, id=name, customer=f"cus_{name}", card=card, charges=(charge,))


@dataclass
class Quick:
    """A gateway that answers at once and tells when it was called for a charge."""

    tell: Callable[[tuple[str, datetime]], None]
    call_bound_seconds: float = 60.0
    updater: UpdaterWay = UpdaterWay.PASSIVE

    def read_obligation(self, name: str) -> Obligation:
        return owed_as(name)

    def read_owed(self, name: str) -> tuple[Obligation, Wallet]:
        found = owed_as(name)
        return found, Wallet(default=found.card)

    def read_contact(self, name: str) -> Contact:
        return Contact(email=f"{name}@example.com", name="Kim", locale="en", hosted_url="https://example.com/pay")

    def charge(self, order: ChargeOrder) -> Answer:
        self.tell((order.obligation, machine_now()))
        return Declined(signals=SIGNALS, charge_id=f"ch_{order.key}")


@dataclass(frozen=True)
class Standing(Wiring):
    """The wiring of production with the stand-in for a gateway."""

    quick: Quick = field(default_factory=lambda: Quick(lambda _: None))

    @cached_property
    def gateway(self) -> Gateway:
        return cast(Gateway, self.quick)


def work(settings: Settings, url: str, told: Any, over: Any, *, letters: bool) -> None:
    """A process of a worker's pool: its loop over letters, which one at a time performs, or over all other steps; rung often."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    wiring = Standing(settings, url, pool_size=min(settings.threads, POOL_MAX), quick=Quick(told.put))
    while not over.wait(RING_SECONDS):
        drain(wiring.write_letters if letters else wiring.perform_steps, seconds=DRAIN_SECONDS)
    wiring.database.dispose()
