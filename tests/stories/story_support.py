"""Whole lives through the real parts: PostgreSQL, Stripe's client over HTTP, signed webhooks, SMTP, and one driven clock.

Without it each story would wire a house of its own. As in production one time serves both clocks: holds and leases pass
with the days, and the clock jumps only when nothing is left to do at an instant.
"""

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
import uvicorn
from sqlalchemy import text

from recovery.cases.case import Case
from recovery.cases.facts import Fact
from recovery.cases.lifecycle import StepKind
from recovery.cases.money_facts import PaymentRefunded  # noqa: F401 - keeps the facts' module loaded before the wiring
from recovery.dunning.mailer import Mailer
from recovery.dunning.send import SendEmail
from recovery.engine.advance import Advanced, advance
from recovery.engine.claims import Performer
from recovery.engine.door import Door
from recovery.gateways.port import Gateway
from recovery.gateways.stripe import Limits, StripeGateway
from recovery.runtime.clock import SharedClock, clock_from, machine_now
from recovery.runtime.settings import Settings, load_settings
from recovery.runtime.web.app import create_app
from recovery.runtime.wiring import Wiring
from recovery.simulation.sandbox import Sandbox, SandboxOptions, serve_sandbox
from recovery.storage.case_queries import CaseFile, case_file
from recovery.storage.case_store import NoSuchCase, case_id_of
from recovery.storage.flag_store import read_flags

CONFIG = Path(__file__).resolve().parents[2] / "config"
TUESDAY = datetime(2026, 10, 6, 17, 0, tzinfo=UTC)
"""10:00 in Los Angeles and 13:00 in New York: every bank of the default card's country is open."""
SECRET = "whsec_story"
PATIENT = Limits(connect_seconds=10, read_seconds=20, bound_seconds=60)
HASTY = Limits(connect_seconds=1, read_seconds=0.4, bound_seconds=10, least_try_seconds=0.1)
"""Gives up on an answer long before the sandbox's hanging faults end."""
START_SECONDS = 20.0
PASSES_MAX = 500
"""No instant of a story takes more than a few dozen passes; more means that something goes in circles."""


class Mails(Protocol):
    """What a story needs of the mail catcher of conftest.py."""

    port: int
    answer: str
    messages: list[Any]


@dataclass(frozen=True)
class StoryWiring(Wiring):
    """The real wiring with one time for both clocks, and ports that a story may wrap to let a worker die there."""

    patience: Limits = PATIENT
    around_mailer: Callable[[Mailer], Mailer] | None = None
    around_gateway: Callable[[Gateway], Gateway] | None = None

    @cached_property
    def gateway(self) -> Gateway:
        """As in the real wiring, but it never sleeps long between tries."""
        settings = self.settings
        assert settings.stripe_secret_key is not None
        made = StripeGateway(
            secret_key=settings.stripe_secret_key.get_secret_value(),
            webhook_secrets=tuple(secret.get_secret_value() for secret in settings.stripe_webhook_secrets),
            api_base=settings.stripe_api_base,
            limits=self.patience,
            sleep=lambda seconds: time.sleep(min(seconds, 0.02)),
        )
        return made if self.around_gateway is None else self.around_gateway(made)

    @cached_property
    def door(self) -> Door:
        """Business time is machine time, as where nobody plays."""
        self.rulebook.keep_current(self.database, machine_now=machine_now())
        now = clock_from(self.settings.clock_file).now
        return Door(database=self.database, rulebook=self.rulebook, clock=now, machine_clock=now)

    @cached_property
    def performers(self) -> Mapping[StepKind, Performer]:
        """The real ones; the mailer may be wrapped."""
        usual = super().performers
        if self.around_mailer is None:
            return usual
        mailer, domain = self.around_mailer(self.mailer), self.settings.sender_domain
        return {**usual, StepKind.SEND_EMAIL: SendEmail(self.door, self.gateway, mailer, self.letters, domain)}


@dataclass(slots=True, kw_only=True)
class Life:
    """One installation and the world around it. Levers of the world are the sandbox's own."""

    sandbox: Sandbox
    wiring: StoryWiring
    clock: SharedClock
    mails: Mails
    web_url: str
    api_url: str
    invoice: str = ""
    forgiven_calls: int = 0
    """Calls on what was settled already that the story itself brings about."""
    failing_steps: bool = False
    """Whether the story lets steps fail."""
    _posted: int = field(default=0)

    @property
    def now(self) -> datetime:
        return self.clock.now()

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
            if self.one_pass() == 0 and self.sandbox.state()["pending_webhooks"] == 0:
                return
        raise AssertionError(f"something goes in circles at {self.now}: {self.sandbox.state()}")

    def one_pass(self) -> int:
        """What the workers do at one ring of each bell."""
        return self.wiring.process_events() + self.wiring.perform_steps() + self.wiring.sweep()

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
        self.clock.set(planned.due_at)

    def _jump(self, at: datetime) -> None:
        self.clock.set(at)
        self.sandbox.play(at)
        self.work()

    def _next_at(self) -> datetime | None:
        wakes = """
            SELECT min(at) FROM (
                SELECT greatest(due_at, hold_until) AS at FROM steps WHERE state = 'planned'
                UNION ALL SELECT lease_until FROM steps WHERE state = 'in_flight'
                UNION ALL SELECT hold_until FROM events WHERE state = 'waiting'
            ) AS wakes WHERE at > :now"""
        with self.wiring.database.connect() as tx:
            ours = tx.execute(text(wakes), {"now": self.now}).scalar_one()
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

    def merchant(self, path: str, **params: str) -> dict[str, Any]:
        """The merchant's own back office calls the gateway's API."""
        with httpx.Client(trust_env=False, auth=(self.sandbox.secret_key, "")) as client:
            answer = client.post(f"{self.api_url}/v1/{path}", data=params)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def post(self, kind: str, thing: Mapping[str, Any], *, secret: str = SECRET, **event: Any) -> httpx.Response:
        """A webhook that the sandbox does not send by itself, signed as Stripe signs."""
        self._posted += 1
        told = {"id": f"evt_story{self._posted}", "object": "event", "type": kind, "livemode": False}
        told |= {"created": int(self.now.timestamp()), "request": None, "data": {"object": dict(thing)}}
        return self.post_raw(json.dumps(told | event).encode(), secret=secret)

    def post_raw(self, body: bytes, *, secret: str = SECRET) -> httpx.Response:
        """A body as it is, signed now."""
        stamp = int(machine_now().timestamp())
        made = hmac.new(secret.encode(), b"%d." % stamp + body, hashlib.sha256).hexdigest()
        header = {"Stripe-Signature": f"t={stamp},v1={made}", "Content-Type": "application/json"}
        with httpx.Client(trust_env=False) as client:
            return client.post(f"{self.web_url}/webhooks/stripe", content=body, headers=header)

    def answered(self) -> None:
        """Wait until the sandbox has ended every call, however long its faults make it hang."""
        ends_at = time.monotonic() + 20
        while self.sandbox.state()["in_flight_requests"]:
            assert time.monotonic() < ends_at, "a call does not end"
            time.sleep(0.01)


class Begin(Protocol):
    """Starts an installation and its world."""

    def __call__(
        self,
        *,
        at: datetime = TUESDAY,
        patience: Limits = PATIENT,
        secrets: str = SECRET,
        sandbox_secret: str = SECRET,
        around_mailer: Callable[[Mailer], Mailer] | None = None,
        around_gateway: Callable[[Gateway], Gateway] | None = None,
        **options: Any,
    ) -> Life: ...


@contextmanager
def beginning(database_url: str, folder: Path, mails: Mails) -> Iterator[tuple[Begin, list[Life]]]:
    """What starts lives, and the lives that it started; all end with the block."""
    lives: list[Life] = []
    with ExitStack() as stack:

        def begin(
            *,
            at: datetime = TUESDAY,
            patience: Limits = PATIENT,
            secrets: str = SECRET,
            sandbox_secret: str = SECRET,
            around_mailer: Callable[[Mailer], Mailer] | None = None,
            around_gateway: Callable[[Gateway], Gateway] | None = None,
            **options: Any,
        ) -> Life:
            clock = SharedClock(folder / "clock")
            clock.set(at)
            sandbox = Sandbox(now=clock.now, options=SandboxOptions(**options))
            api_url = stack.enter_context(serve_sandbox(sandbox))
            settings = _settings(
                database_url,
                clock_file=folder / "clock",
                smtp_port=mails.port,
                stripe_api_base=api_url,
                stripe_secret_key=sandbox.secret_key,
                stripe_webhook_secrets=secrets,
                stripe_call_seconds=patience.bound_seconds,
            )
            wiring = StoryWiring(
                settings=settings,
                database_url=database_url,
                patience=patience,
                around_mailer=around_mailer,
                around_gateway=around_gateway,
            )
            stack.callback(wiring.database.dispose)
            web_url = stack.enter_context(_served(wiring))
            sandbox.add_webhook_endpoint(f"{web_url}/webhooks/stripe", sandbox_secret)
            life = Life(
                sandbox=sandbox, wiring=wiring, clock=clock, mails=mails, web_url=web_url, api_url=api_url
            )
            lives.append(life)
            return life

        yield begin, lives
        for life in lives:
            close = getattr(life.wiring.gateway, "close", None)
            if close is not None:
                close()


def _settings(database_url: str, **others: Any) -> Settings:
    chosen = {"config_dir": CONFIG, "smtp_security": "none", "batch": 10, "threads": 2, "pages": "open"}
    return load_settings(_env_file=None, database_url=database_url, **chosen | others)


@contextmanager
def _served(wiring: Wiring) -> Iterator[str]:
    """The real web application on a free loopback port."""
    app = create_app(wiring, ring=lambda: None)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            ends_at = time.monotonic() + START_SECONDS
            while not server.started:
                assert thread.is_alive() and time.monotonic() < ends_at, "the web application did not start"
                time.sleep(0.005)
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
