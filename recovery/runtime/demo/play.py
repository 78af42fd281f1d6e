"""Puts the demo together: servers, processes, mail catcher, driver. Without one place for it something would be left running."""

import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from recovery.runtime.celery_app import doorbell, make_app
from recovery.runtime.clock import SharedClock
from recovery.runtime.demo.catcher import Caught, catch_mail
from recovery.runtime.demo.driver import Driver
from recovery.runtime.demo.operator import Operator
from recovery.runtime.demo.outcome import outcome_of
from recovery.runtime.demo.ports import free_ports
from recovery.runtime.demo.visitors import Visitors
from recovery.runtime.demo.world_link import WorldLink
from recovery.runtime.embedded import embedded_postgres, embedded_valkey
from recovery.runtime.processes import ProcessGroup, StartedProcess
from recovery.runtime.worlds import DEFAULT_WORLD, START_AT
from recovery.storage.connect import connect
from recovery.storage.migrate import upgrade

_COMMAND = (sys.executable, "-m", "recovery.runtime.cli")

CALL_SECONDS = 6.0
SETTLE_MARGIN_SECONDS = 1.0
"""Machine time: the sandbox answers in milliseconds, so an unknown outcome need not hold the whole demo for a minute and a half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What to play. ``faults`` are probabilities by the sandbox's names of faults."""

    days: int = 45
    customers: int = 200
    seed: int = 1
    world: str = DEFAULT_WORLD
    faults: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo that is up: where it is looked at, its database, and how to play it."""

    web_url: str
    database: Engine
    database_url: str
    broker_url: str
    clock: SharedClock
    group: ProcessGroup
    environment: dict[str, str]
    _driver: Callable[[Callable[[datetime], None]], Driver]
    _world: WorldLink
    _caught: Caught
    _visitors: Visitors

    def play(self, options: DemoOptions, watch: Callable[[datetime], None]) -> dict[str, Any]:
        """Play all days and judge the outcome."""
        if options.faults:
            self._world.faults({"probabilities": options.faults, "seed": options.seed})
        until = START_AT + timedelta(days=options.days)
        self._driver(watch).run(until)
        outcome = outcome_of(self.database, self._world.ledger(), self._caught, first=START_AT, until=until)
        outcome["pages"] = dict(self._visitors.visits)
        played = {"seed": options.seed, "world": options.world, "customers": options.customers, "days": options.days}
        return played | outcome


@contextmanager
def demo_stack(options: DemoOptions, *, note: Callable[[str], None]) -> Iterator[Demo]:
    """Start everything the demo needs in a directory of its own; end it all with the block, whatever happens."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recovery-demo-")))
        clock = SharedClock(home / "clock")
        clock.set(START_AT)
        sandbox_port, web_port = free_ports(2)
        world = WorldLink(f"http://127.0.0.1:{sandbox_port}")
        stack.callback(world.close)
        caught, smtp_port = stack.enter_context(catch_mail(world))
        environment = _environment(home, sandbox_port=sandbox_port, web_port=web_port, smtp_port=smtp_port)
        # The servers start beside the first process, and end after all that need them.
        servers = stack.enter_context(ExitStack())
        group = stack.enter_context(ProcessGroup(home / "logs"))
        sandbox = _start_sandbox(group, environment, options, sandbox_port=sandbox_port, web_port=web_port)
        database_url, broker_url = _servers(servers, home, note)
        environment |= {"RECOVERY_DATABASE_URL": database_url, "RECOVERY_BROKER_URL": broker_url}
        database = connect(database_url)
        servers.callback(database.dispose)
        _start_others(group, environment, sandbox, note, sandbox_port=sandbox_port, web_port=web_port)
        app = stack.enter_context(make_app(broker_url, ring_seconds=1.0))
        ring = doorbell(app)
        operator = Operator(database=database, clock=clock.now, ring=ring, reads_lists=bool(options.faults))
        visitors = Visitors(caught=caught, clock=clock.now)

        def driver(watch: Callable[[datetime], None]) -> Driver:
            return Driver(
                clock=clock,
                database=database,
                world=world,
                ring=ring,
                operator=operator,
                check=group.check,
                watch=watch,
                visit=visitors.visit,
            )

        yield Demo(
            web_url=f"http://127.0.0.1:{web_port}",
            database=database,
            database_url=database_url,
            broker_url=broker_url,
            clock=clock,
            group=group,
            environment=environment,
            _driver=driver,
            _world=world,
            _caught=caught,
            _visitors=visitors,
        )


def _servers(stack: ExitStack, home: Path, note: Callable[[str], None]) -> tuple[str, str]:
    """The addresses of a fresh database with its tables and of a fresh broker."""
    note("starting PostgreSQL and Valkey")
    database_url = stack.enter_context(embedded_postgres(home / "postgres", throwaway=True)).url
    broker_url = stack.enter_context(embedded_valkey(home / "valkey", throwaway=True)).url
    note("creating the tables")
    upgrade(database_url)
    return database_url, broker_url


def _environment(home: Path, *, sandbox_port: int, web_port: int, smtp_port: int) -> dict[str, str]:
    """The settings of the demo's processes but its servers'; nothing of the caller's own RECOVERY_ settings gets through."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECOVERY_")}
    webhook_secret = f"whsec_{secrets.token_hex(16)}"
    ours = {
        "RECOVERY_DATA_DIR": str(home),
        "RECOVERY_CLOCK_FILE": str(home / "clock"),
        "RECOVERY_STRIPE_SECRET_KEY": "sk_test_sandbox",
        "RECOVERY_STRIPE_WEBHOOK_SECRETS": webhook_secret,
        "RECOVERY_STRIPE_API_BASE": f"http://127.0.0.1:{sandbox_port}",
        "RECOVERY_STRIPE_CALL_SECONDS": str(CALL_SECONDS),
        "RECOVERY_SETTLE_MARGIN_SECONDS": str(SETTLE_MARGIN_SECONDS),
        "RECOVERY_SMTP_HOST": "127.0.0.1",
        "RECOVERY_SMTP_PORT": str(smtp_port),
        "RECOVERY_SMTP_SECURITY": "none",
        "RECOVERY_WEB_PORT": str(web_port),
        "RECOVERY_PAGES": "open",
        "RECOVERY_RING_SECONDS": "5",  # the driver rings itself
        "RECOVERY_LOG_FORMAT": "json",
        "RECOVERY_BRAND_NAME": "Example Streaming",
        "RECOVERY_PUBLIC_URL": f"http://127.0.0.1:{web_port}",
        "RECOVERY_LINK_SECRETS": secrets.token_urlsafe(24),
        "RECOVERY_ADDRESS_KEY": secrets.token_urlsafe(24),
    }
    return kept | ours


def _start_sandbox(
    group: ProcessGroup, environment: dict[str, str], options: DemoOptions, *, sandbox_port: int, web_port: int
) -> StartedProcess:
    world = ["--port", str(sandbox_port), "--seed", str(options.seed), "--customers", str(options.customers)]
    webhook = ["--webhook", f"http://127.0.0.1:{web_port}/webhooks/stripe", "--start-at", START_AT.isoformat()]
    days = ["--days", str(options.days), "--world", options.world]
    return group.start("sandbox", [*_COMMAND, "sandbox", *world, *webhook, *days], env=environment)


def _start_others(
    group: ProcessGroup,
    environment: dict[str, str],
    sandbox: StartedProcess,
    note: Callable[[str], None],
    *,
    sandbox_port: int,
    web_port: int,
) -> None:
    note("starting web, worker and beat")
    web = group.start("web", [*_COMMAND, "web"], env=environment)
    group.start("worker", [*_COMMAND, "worker"], env=environment)
    group.wait_ready(sandbox, f"http://127.0.0.1:{sandbox_port}/_sandbox/state", seconds=60)
    group.wait_ready(web, f"http://127.0.0.1:{web_port}/readyz", seconds=60)
    group.start("beat", [*_COMMAND, "beat"], env=environment)  # last: nothing waits for it
