"""The house of one story: the real wiring, the real web application, and a sandbox beside it.

Without it each story would wire a house of its own. As in production one time serves both clocks: leases and holds pass
with the days.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from serving import address_of, free_port, served_on

from recovery.cases.lifecycle import StepKind
from recovery.cases.policy import Policy
from recovery.dunning.mailer import Mailer
from recovery.dunning.send import SendEmail
from recovery.engine.claims import Performer
from recovery.engine.door import Door
from recovery.gateways.port import Gateway
from recovery.gateways.stripe import Limits, StripeGateway
from recovery.runtime.clock import SharedClock, clock_from, machine_now
from recovery.runtime.knowledge import Knowledge, load_knowledge, version_of
from recovery.runtime.rulebook import StoredRuleBook
from recovery.runtime.settings import load_settings
from recovery.runtime.web.app import create_app
from recovery.runtime.wiring import Wiring
from recovery.simulation.sandbox import Sandbox, SandboxOptions, serve_sandbox

CONFIG = Path(__file__).resolve().parents[2] / "config"
TUESDAY = datetime(2026, 10, 6, 17, 0, tzinfo=UTC)
"""10:00 in Los Angeles and 13:00 in New York: every bank of the default card's country is open."""
SECRET = "whsec_story"
PATIENT = Limits(connect_seconds=10, read_seconds=20, bound_seconds=60)
HASTY = Limits(connect_seconds=1, read_seconds=0.4, bound_seconds=10, least_try_seconds=0.1)
"""Gives up on an answer long before the sandbox's hanging faults end."""
OWN_ADDRESS = "the web application's own address, which no story knows before it begins"
LONGEST_SLEEP_SECONDS = 0.02
"""Between the tries of one call; the sandbox's faults are over in no time."""


@dataclass(frozen=True, kw_only=True)
class Ways:
    """How a story's installation differs from the ordinary one."""

    at: datetime = TUESDAY
    patience: Limits = PATIENT
    secrets: str = SECRET
    """The webhook secrets that we know, separated by commas."""
    signed_with: str = SECRET
    """The secret that the gateway signs with."""
    mailer: Callable[[Mailer], Mailer] = lambda real: real
    gateway: Callable[[Gateway], Gateway] = lambda real: real
    """Ports that a story wraps to let a worker die there."""
    policy: Callable[[Policy], Policy] = lambda shipped: shipped
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further settings."""


@dataclass(frozen=True, kw_only=True)
class StoryWiring(Wiring):
    """The real wiring with one time for both clocks and a story's ways."""

    ways: Ways

    @cached_property
    def gateway(self) -> Gateway:
        """The real one, which never sleeps long between tries."""
        settings = self.settings
        assert settings.stripe_secret_key is not None
        made = StripeGateway(
            secret_key=settings.stripe_secret_key.get_secret_value(),
            webhook_secrets=tuple(secret.get_secret_value() for secret in settings.stripe_webhook_secrets),
            api_base=settings.stripe_api_base,
            limits=self.ways.patience,
            sleep=lambda seconds: time.sleep(min(seconds, LONGEST_SLEEP_SECONDS)),
        )
        return self.ways.gateway(made)

    @cached_property
    def rulebook(self) -> StoredRuleBook:
        """The files as they are, read once for all stories."""
        settle_seconds = self.settings.stripe_call_seconds + self.settings.settle_margin_seconds
        known = _knowledge()
        policy = self.ways.policy(known.policy)
        if policy is not known.policy:
            known = dataclasses.replace(known, policy=policy, policy_version=version_of(policy))
        return StoredRuleBook(known, settle_seconds=settle_seconds)

    @cached_property
    def door(self) -> Door:
        """Business time is machine time, as where nobody plays."""
        self.rulebook.keep_current(self.database, machine_now=machine_now())
        now = clock_from(self.settings.clock_file).now
        return Door(
            database=self.database,
            rulebook=self.rulebook,
            clock=now,
            machine_clock=now,
            tells_merchant=self.merchant is not None,
        )

    @cached_property
    def performers(self) -> Mapping[StepKind, Performer]:
        """The real ones, with the story's mailer."""
        mailer = self.ways.mailer(self.mailer)
        send = SendEmail(self.door, self.gateway, mailer, self.letters, self.outbox)
        return {**super().performers, StepKind.SEND_EMAIL: send, StepKind.ASK_REASON: send}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One installation that is up, and the gateway beside it."""

    sandbox: Sandbox
    wiring: StoryWiring
    clock: SharedClock
    web_url: str
    api_url: str


@contextmanager
def house(database_url: str, folder: Path, *, smtp_port: int, ways: Ways, options: SandboxOptions) -> Iterator[House]:
    """Everything started, and ended with the block."""
    with ExitStack() as stack:
        clock = SharedClock(folder / "clock")
        clock.set(ways.at)
        sandbox = Sandbox(now=clock.now, options=options)
        api_url = stack.enter_context(serve_sandbox(sandbox))
        told: dict[str, Any] = {
            "clock_file": folder / "clock",
            "smtp_port": smtp_port,
            "smtp_security": "none",
            "smtp_tries": 1,
            "stripe_api_base": api_url,
            "stripe_secret_key": sandbox.secret_key,
            "stripe_webhook_secrets": ways.secrets,
            "stripe_call_seconds": ways.patience.bound_seconds,
        }
        bound = stack.enter_context(free_port())
        own = address_of(bound)
        told |= {name: own if value is OWN_ADDRESS else value for name, value in ways.more.items()}
        settings = load_settings(_env_file=None, database_url=database_url, config_dir=CONFIG, threads=2, **told)
        wiring = StoryWiring(settings=settings, database_url=database_url, ways=ways)
        stack.callback(wiring.database.dispose)
        web_url = stack.enter_context(served_on(bound, create_app(wiring, ring=lambda: None)))
        stack.callback(_close, wiring.gateway)
        sandbox.add_webhook_endpoint(f"{web_url}/webhooks/stripe", ways.signed_with)
        yield House(sandbox=sandbox, wiring=wiring, clock=clock, web_url=web_url, api_url=api_url)


@cache
def _knowledge() -> Knowledge:
    return load_knowledge(CONFIG)


def _close(gateway: Gateway) -> None:
    close = getattr(gateway, "close", None)
    if close is not None:
        close()
