"""The whole installation as processes that may be killed and are started again, in a world whose gateway keeps its own book."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from chaos_beside import ROOT, Earlier
from chaos_proxy import Proxy
from chaos_servers import Server, served
from kombu.exceptions import OperationalError as BrokerAway
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError

from recovery.runtime.celery_app import Bell, doorbell, make_app
from recovery.runtime.clock import SharedClock, machine_now
from recovery.runtime.demo.catcher import Caught, catch_mail
from recovery.runtime.demo.driver import Driver
from recovery.runtime.demo.ports import free_ports
from recovery.runtime.demo.world_link import WorldLink
from recovery.runtime.embedded import embedded_postgres, embedded_valkey
from recovery.runtime.processes import ProcessDied, ProcessGroup, StartedProcess
from recovery.runtime.worlds import START_AT
from recovery.storage.connect import connect
from recovery.storage.migrate import upgrade

HERE = Path(__file__).parent
CONFIG = ROOT / "config"
CLI = [sys.executable, "-m", "recovery.runtime.cli"]
WITNESSED = [sys.executable, str(HERE / "chaos_sandbox.py")]
DUTIES = {
    "web": [*CLI, "web"],
    "worker1": [sys.executable, str(HERE / "chaos_worker.py")],
    "worker2": [sys.executable, str(HERE / "chaos_worker.py")],
    "beat1": [*CLI, "beat"],
    "beat2": [*CLI, "beat"],
}
BESIDE = "worker2"
"""The worker that an earlier release plays, if there is one: as while the processes of an installation are replaced one by one."""

CALL_SECONDS = 3.0
MARGIN_SECONDS = 1.0
"""The sandbox answers in milliseconds: what hangs longer has been cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How big a round is, how long a claim lasts (production: 30 s, rung every 3 s), and an earlier release that works along."""

    seed: int
    customers: int
    days: int
    lease_seconds: float = 2.0
    ring_seconds: float = 0.5
    faults: dict[str, float] = field(default_factory=dict)
    beside: Earlier | None = None

    @property
    def config(self) -> Path:
        """The policy and knowledge that all processes go by: an installation's own, which it had before an upgrade."""
        return self.beside.config if self.beside else CONFIG


class WitnessedWorld(WorldLink):
    """The link to the world, which notes when each email reached the mail server, in business and machine time."""

    def __init__(self, base_url: str, clock: SharedClock) -> None:
        super().__init__(base_url)
        self._clock = clock
        self.mailed_at: list[tuple[datetime, datetime]] = []

    def mail(self, address: str) -> None:
        """Note it, and tell the world."""
        self.mailed_at.append((self._clock.now(), machine_now()))
        super().mail(address)


@dataclass
class Installation:
    """Everything that is up."""

    scale: Scale
    home: Path
    postgres: Server
    postgres_proxy: Proxy
    valkey: Server
    valkey_proxy: Proxy
    gateway_proxy: Proxy
    world: WitnessedWorld
    caught: Caught
    clock: SharedClock
    group: ProcessGroup
    environment: dict[str, str]
    database: Engine
    running: dict[str, StartedProcess] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    quiet_until: float = 0.0
    """Until then the driver does not ring, so that what is measured is what production has: beat."""

    @property
    def seen_file(self) -> Path:
        """Where the sandbox's witness writes."""
        return self.home / "seen"

    def start(self, name: str) -> None:
        """Start one of the duties, again."""
        with self.lock:
            if name in self.running:
                self.group.stop_one(self.running.pop(name))
            command, environment = DUTIES[name], self.environment
            if name == BESIDE and self.scale.beside is not None:
                command, environment = [*CLI, "worker"], environment | {"PYTHONPATH": str(self.scale.beside.folder)}
            self.running[name] = self.group.start(name, command, env=environment, cwd=self.home)

    def kill(self, name: str) -> None:
        """kill -9 of one process, its children left to themselves as the kernel leaves them."""
        with (
            self.lock,
            contextlib.suppress(ProcessDied),
        ):  # it may have ended by itself, and is started again all the same
            psutil.Process(self.running[name].pid).kill()
        self.start(name)

    def kill_child(self, name: str) -> bool:
        """kill -9 of one pool child; False when there is none at the moment."""
        with contextlib.suppress(ProcessDied):
            main = self.running[name].pid
            children = [one for one in self.running[name].tree() if one.pid != main]
            if children:
                children[-1].kill()
                return True
        return False

    def revive(self) -> None:
        """Start again whoever ended, for whatever reason: what a supervisor does."""
        for name, process in list(self.running.items()):
            try:
                process.check()
            except ProcessDied:
                self.start(name)

    def play(self, until: datetime) -> None:
        """Drive the clock until an instant, through whatever breaks meanwhile."""
        app = make_app(self.valkey.url, ring_seconds=1.0)
        driver = Driver(
            clock=self.clock,
            database=self.database,
            world=self.world,
            ring=partial(self._ring, doorbell(app)),
            check=self.revive,
            watch=lambda _: None,
        )
        try:
            while self.clock.now() < until:
                try:
                    driver.run(until)
                except (SQLAlchemyError, HTTPError):
                    time.sleep(0.1)  # the database is away: so is everything else's
        finally:
            app.close()

    def _ring(self, ring: Any, bell: Bell) -> None:
        if time.monotonic() < self.quiet_until:
            return
        with contextlib.suppress(BrokerAway):  # beat rings again when it is back
            ring(bell)


@contextmanager
def installation(home: Path, scale: Scale) -> Iterator[Installation]:
    """Start everything below a directory; end it all with the block."""
    with ExitStack() as stack:
        # Durable: what was committed must survive kill -9 of the server.
        postgres, postgres_proxy = stack.enter_context(served(embedded_postgres, home / "postgres"))
        broker = partial(embedded_valkey, throwaway=True)  # forgets everything when it dies
        valkey, valkey_proxy = stack.enter_context(served(broker, home / "valkey"))
        gateway_proxy = stack.enter_context(Proxy())
        upgrade(postgres.url)
        database = connect(postgres.url)
        stack.callback(database.dispose)
        clock = SharedClock(home / "clock")
        clock.set(START_AT)
        gateway_proxy.target, web_port = free_ports(2)
        world = WitnessedWorld(f"http://127.0.0.1:{gateway_proxy.target}", clock)
        stack.callback(world.close)
        caught, smtp_port = stack.enter_context(catch_mail(world))
        (home / "points").mkdir()
        environment = surroundings(home, scale, postgres.url, valkey.url)
        environment |= {
            "RECOVERY_STRIPE_API_BASE": f"http://127.0.0.1:{gateway_proxy.port}",
            "RECOVERY_SMTP_PORT": str(smtp_port),
            "RECOVERY_WEB_PORT": str(web_port),
        }
        group = stack.enter_context(ProcessGroup(home / "logs"))
        made = Installation(
            scale=scale,
            home=home,
            postgres=postgres,
            postgres_proxy=postgres_proxy,
            valkey=valkey,
            valkey_proxy=valkey_proxy,
            gateway_proxy=gateway_proxy,
            world=world,
            caught=caught,
            clock=clock,
            group=group,
            environment=environment,
            database=database,
        )
        start_all(made, web_port)
        yield made


def start_all(made: Installation, web_port: int) -> None:
    scale, port = made.scale, made.gateway_proxy.target
    webhook = ["--webhook", f"http://127.0.0.1:{web_port}/webhooks/stripe", "--start-at", START_AT.isoformat()]
    world = ["--port", str(port), "--seed", str(scale.seed), "--customers", str(scale.customers)]
    command = [*WITNESSED, "sandbox", *world, *webhook, "--days", str(scale.days)]
    # The world is no part of an installation: it is this release's, whoever works in it.
    environment = made.environment | {"RECOVERY_CONFIG_DIR": str(CONFIG)}
    sandbox = made.group.start("sandbox", command, env=environment, cwd=made.home)
    for name in DUTIES:
        made.start(name)
    made.group.wait_ready(sandbox, f"http://127.0.0.1:{port}/_sandbox/state")
    made.group.wait_ready(made.running["web"], f"http://127.0.0.1:{web_port}/readyz")
    if scale.faults:
        made.world.faults({"probabilities": scale.faults, "seed": scale.seed})


def surroundings(home: Path, scale: Scale, database_url: str, broker_url: str) -> dict[str, str]:
    """The settings of all processes; nothing of the caller's own gets through."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECOVERY_STRIPE")}
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return kept | {
        "PYTHONPATH": path,
        "CHAOS_POINTS": str(home / "points"),
        "CHAOS_SEEN": str(home / "seen"),
        "RECOVERY_DATA_DIR": str(home),
        "RECOVERY_CONFIG_DIR": str(scale.config),
        "RECOVERY_DATABASE_URL": database_url,
        "RECOVERY_BROKER_URL": broker_url,
        "RECOVERY_CLOCK_FILE": str(home / "clock"),
        "RECOVERY_STRIPE_SECRET_KEY": "sk_test_sandbox",
        "RECOVERY_STRIPE_WEBHOOK_SECRETS": "whsec_chaos",
        "RECOVERY_STRIPE_CALL_SECONDS": str(CALL_SECONDS),
        "RECOVERY_SETTLE_MARGIN_SECONDS": str(MARGIN_SECONDS),
        "RECOVERY_SMTP_HOST": "127.0.0.1",
        "RECOVERY_SMTP_SECURITY": "none",
        "RECOVERY_LEASE_SECONDS": str(scale.lease_seconds),
        "RECOVERY_RING_SECONDS": str(scale.ring_seconds),
        "RECOVERY_BATCH": "10",
        "RECOVERY_THREADS": "5",
        "RECOVERY_WORKER_PROCESSES": "1",
    }


def end_of(scale: Scale) -> datetime:
    """The last business instant of a round."""
    return START_AT + timedelta(days=scale.days)
