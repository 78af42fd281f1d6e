"""One life of payments, lived through the real parts: the clock is driven from due instant to due instant.

Without it each story would drive the clock in its own way, and some would jump over what was due.
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx
from sqlalchemy import text
from story_house import SECRET, House

from recovery.cases.case import Case
from recovery.cases.facts import Fact
from recovery.cases.lifecycle import StepKind
from recovery.engine.advance import Advanced, advance
from recovery.runtime.clock import machine_now
from recovery.runtime.wiring import Wiring
from recovery.simulation.sandbox import Sandbox
from recovery.storage.case_queries import CaseFile, case_file
from recovery.storage.case_store import NoSuchCase, case_id_of
from recovery.storage.flag_store import read_flags

PASSES_MAX = 500
"""No instant of a story takes more than a few dozen passes; more means that something goes in circles."""


WAKES = """(
    SELECT greatest(due_at, hold_until) AS at FROM steps WHERE state = 'planned'
    UNION ALL SELECT lease_until FROM steps WHERE state = 'in_flight'
    UNION ALL SELECT hold_until FROM events WHERE state = 'waiting'
) AS wakes"""
"""Every instant at which the engine has something to do."""


class Mails(Protocol):
    """What a story needs of the mail catcher of conftest.py."""

    port: int
    answer: str
    to_recipient: str
    messages: list[Any]


@dataclass(slots=True, kw_only=True)
class Life:
    """One installation and the world around it. Levers of the world are the sandbox's own."""

    house: House
    mails: Mails
    invoice: str = ""
    forgiven_calls: int = 0
    """Calls on what was settled already that the story itself brings about."""
    ambiguous: int = 0
    """Emails that arrived although nobody can know."""
    posted: int = 0

    @property
    def sandbox(self) -> Sandbox:
        return self.house.sandbox

    @property
    def wiring(self) -> Wiring:
        return self.house.wiring

    @property
    def now(self) -> datetime:
        return self.house.clock.now()

    def fail(self, *answers: Any, **others: Any) -> str:
        """A renewal fails with the first answer; the card gives the others in turn. The invoice's id."""
        self.invoice = self.sandbox.make_failed_invoice(behaviour=answers, **others)
        self.work()
        return self.invoice

    def fail_on(self, answers: tuple[Any, ...], customer: Mapping[str, Any] | None = None, **card: Any) -> str:
        """The same with a card of these details, of a customer of these details."""
        person = self.sandbox.make_customer(**(customer or {}))
        self.sandbox.make_card(person, answers, **card)
        self.invoice = self.sandbox.make_failed_invoice(person)
        self.work()
        return self.invoice

    def work(self) -> None:
        """Everything that can be done at this instant."""
        for _ in range(PASSES_MAX):
            assert self.sandbox.wait_for_webhooks(30), "webhooks do not get through"
            idle = not self._something_due() or self.one_pass() == 0
            if idle and self.sandbox.state()["pending_webhooks"] == 0:
                return
        raise AssertionError(f"something goes in circles at {self.now}: {self.sandbox.state()}")

    def one_pass(self) -> int:
        """What the workers do at one ring of each bell."""
        wiring = self.wiring
        return wiring.process_events() + wiring.perform_steps() + wiring.write_letters() + wiring.sweep()

    @contextmanager
    def working(self) -> Iterator[threading.Thread]:
        """A worker performs what is due while the story goes on beside it."""
        worker = threading.Thread(target=self.wiring.perform_steps)
        worker.start()
        try:
            yield worker
        finally:
            worker.join()

    def run_until(self, at: datetime) -> None:
        """Live until an instant, from due instant to due instant of the engine or the world."""
        self.work()
        while (due_at := self._next_at()) is not None and due_at <= at:
            self._jump(due_at)
        self._jump(at)

    def run(self, **span: float) -> None:
        """Live for a while: ``days=3``, ``hours=1``."""
        self.run_until(self.now + timedelta(**span))

    def run_to_step(self, kind: StepKind) -> None:
        """Stop right before the planned step of a kind: its instant is there, nothing is done yet."""
        self.work()
        planned = self.case().step(kind)
        assert planned is not None, f"no {kind} is planned: {self.reasons()}"
        while (due_at := self._next_at()) is not None and due_at < planned.due_at:
            self._jump(due_at)
        self.house.clock.set(planned.due_at)

    def _jump(self, at: datetime) -> None:
        self.house.clock.set(at)
        self.sandbox.play(at)
        self.work()

    def _something_due(self) -> bool:
        """Whether a pass could find anything at all; asking is cheaper than passing."""
        with self.wiring.database.connect() as tx:
            found = tx.execute(text(f"SELECT count(*) FROM {WAKES} WHERE at IS NULL OR at <= :now"), {"now": self.now})
            return bool(found.scalar_one())

    def _next_at(self) -> datetime | None:
        with self.wiring.database.connect() as tx:
            ours = tx.execute(text(f"SELECT min(at) FROM {WAKES} WHERE at > :now"), {"now": self.now}).scalar_one()
        world = self.sandbox.state()["next_due_at"]
        return min((at for at in (ours, world and datetime.fromisoformat(world)) if at), default=None)

    def case(self, invoice: str | None = None) -> Case:
        """The case as it stands."""
        return self.file(invoice).case

    def file(self, invoice: str | None = None) -> CaseFile:
        """Everything about the case."""
        with self.wiring.database.connect() as tx:
            return case_file(tx, case_id_of(invoice or self.invoice))

    def has_case(self, invoice: str) -> bool:
        """Whether the invoice has a case."""
        try:
            self.file(invoice)
        except NoSuchCase:
            return False
        return True

    def reasons(self, invoice: str | None = None) -> str:
        """The journal's reasons, one a line."""
        return "\n".join(line.reason for line in self.file(invoice).timeline)

    def booked(self, invoice: str | None = None) -> dict[str, int]:
        """The ledger: minor units by kind."""
        sums: dict[str, int] = {}
        for line in self.file(invoice).bookings:
            sums[line.kind] = sums.get(line.kind, 0) + line.amount.minor
        return sums

    def tries(self, invoice: str | None = None) -> list[datetime]:
        """When our own charges arrived at the gateway, settlements of processing ones left out."""
        wanted = invoice or self.invoice
        first: dict[str, datetime] = {}
        for entry in self.sandbox.ledger.entries:
            if entry.invoice == wanted and entry.initiator == "engine":
                first.setdefault(entry.charge, entry.at)
        return list(first.values())

    def card(self, invoice: str | None = None) -> str:
        """The payment method that the gateway tried last on an invoice."""
        wanted = invoice or self.invoice
        return [entry.payment_method for entry in self.sandbox.ledger.entries if entry.invoice == wanted][-1]

    def customer(self, invoice: str | None = None) -> str:
        """The customer of an invoice."""
        return str(self.sandbox.read(invoice or self.invoice)["customer"])

    def tell(self, fact: Fact, invoice: str | None = None) -> Advanced:
        """Let a fact in, as the pages and commands do."""
        return advance(self.wiring.door, case_id_of(invoice or self.invoice), fact)

    def flags(self) -> dict[str, str]:
        """What the installation has to say."""
        with self.wiring.database.connect() as tx:
            return {flag.name: flag.detail for flag in read_flags(tx)}

    def count(self, query: str) -> int:
        """A number out of the database."""
        with self.wiring.database.connect() as tx:
            return int(tx.execute(text(query)).scalar_one())

    def told(self, kind: str) -> list[str]:
        """What the events of a kind led to, in words."""
        query = text("SELECT detail FROM events WHERE kind = :kind ORDER BY seq")
        with self.wiring.database.connect() as tx:
            return list(tx.execute(query, {"kind": kind}).scalars())

    def lose_webhooks(self) -> None:
        """From now on nobody is told anything."""
        self.sandbox.faults.set_probabilities({"lost": 1.0})

    def merchant(self, path: str, **params: str) -> dict[str, Any]:
        """The merchant's own back office calls the gateway's API."""
        with httpx.Client(trust_env=False, verify=False, auth=(self.sandbox.secret_key, "")) as client:
            answer = client.post(f"{self.house.api_url}/v1/{path}", data=params)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def post(self, kind: str, thing: Mapping[str, Any], *, secret: str = SECRET, **event: Any) -> httpx.Response:
        """A webhook that the sandbox does not send by itself, signed as Stripe signs."""
        self.posted += 1
        told = {"id": f"evt_story{self.posted}", "object": "event", "type": kind, "livemode": False}
        told |= {"created": int(self.now.timestamp()), "request": None, "data": {"object": dict(thing)}}
        return self.post_raw(json.dumps(told | event).encode(), secret=secret)

    def post_raw(self, body: bytes, *, secret: str = SECRET) -> httpx.Response:
        """A body as it is, signed now."""
        stamp = int(machine_now().timestamp())
        made = hmac.new(secret.encode(), b"%d." % stamp + body, hashlib.sha256).hexdigest()
        header = {"Stripe-Signature": f"t={stamp},v1={made}", "Content-Type": "application/json"}
        with httpx.Client(trust_env=False, verify=False) as client:
            return client.post(f"{self.house.web_url}/webhooks/stripe", content=body, headers=header)

    def answered(self) -> None:
        """Wait until the sandbox has ended every call, however long its faults make it hang."""
        ends_at = time.monotonic() + 20
        while self.sandbox.state()["in_flight_requests"]:
            assert time.monotonic() < ends_at, "a call does not end"
            time.sleep(0.01)


class Killed(BaseException):
    """A worker dies on the spot: nothing behind it is run any more."""


Begin = Callable[..., Life]
"""Starts a life: ``ways=Ways(…)`` for the installation, everything else are options of the sandbox."""
