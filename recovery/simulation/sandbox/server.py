"""Running a sandbox as a server: in a thread for tests, in the foreground for people.

Without a pre-bound socket two servers started at once could fight for one port, and a test would have to guess
when its server is ready.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import uvicorn

from recovery.simulation.sandbox.app import build_app
from recovery.simulation.sandbox.sandbox import Sandbox
from recovery.simulation.sandbox.settings import SandboxOptions
from recovery.simulation.world.build import build_world
from recovery.simulation.world.parameters import Parameters

# A server that is not up after this long never will be; loopback starts take about 0.1 s.
_START_SECONDS = 15.0
# How long open requests (a hanging fault) may hold up the end; pauses notice closing within 0.05 s.
_STOP_SECONDS = 2


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server(sandbox: Sandbox) -> uvicorn.Server:
    config = uvicorn.Config(
        build_app(sandbox.core, sandbox.secret_key),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    return uvicorn.Server(config)


@contextmanager
def serve_sandbox(sandbox: Sandbox, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in a thread; gives the base address. Ends with every request ended and every thread joined.

    Raises RuntimeError when the server does not start.
    """
    listener = _bound(host, port)
    sandbox.core.base_url = _address(listener)
    sandbox.core.closing.clear()
    server = _server(sandbox)
    thread = threading.Thread(target=server.run, args=([listener],), name="sandbox-server", daemon=True)
    thread.start()
    sandbox.core.deliveries.start()
    try:
        _wait_until_started(server, thread)
        yield sandbox.core.base_url
    finally:
        sandbox.core.closing.set()
        server.should_exit = True
        thread.join()
        sandbox.core.deliveries.close()
        listener.close()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the sandbox's server did not start")
        time.sleep(0.005)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """One sandbox to run in the foreground; `customers` 0 means an empty one that approves everything."""

    start_at: datetime
    host: str = "127.0.0.1"
    port: int = 12111  # the port of Stripe's own mock server
    public_url: str | None = None
    """How browsers reach the server's pages; None: the address it listens on."""
    seed: int = 1
    customers: int = 200
    days: float = 45.0
    parameters: Parameters = field(default_factory=Parameters)
    """How the world is."""
    secret_key: str = field(default="sk_test_sandbox", repr=False)
    webhook_endpoints: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    options: SandboxOptions = field(default_factory=SandboxOptions)


def populated_sandbox(settings: RunSettings, *, now: Callable[[], datetime]) -> Sandbox:
    """A sandbox with its world moved in, not yet serving."""
    sandbox = Sandbox(
        now=now,
        secret_key=settings.secret_key,
        webhook_endpoints=settings.webhook_endpoints,
        options=settings.options,
    )
    if settings.customers:
        world = build_world(
            seed=settings.seed,
            customers=settings.customers,
            days=settings.days,
            start_at=settings.start_at,
            parameters=settings.parameters,
        )
        sandbox.inhabit(world)
    return sandbox


def run_sandbox(
    settings: RunSettings, *, now: Callable[[], datetime], ready: Callable[[str], None] | None = None
) -> None:
    """Serve in the foreground until SIGINT or SIGTERM; `ready` is told the base address once it is bound.

    `now` is the business clock. Raises OSError when the port is taken.
    """
    sandbox = populated_sandbox(settings, now=now)
    listener = _bound(settings.host, settings.port)
    address = _address(listener)
    sandbox.core.base_url = settings.public_url or address
    server = _server(sandbox)
    sandbox.core.deliveries.start()
    listener.listen()  # from here on clients may connect; they are served as soon as the loop runs
    if ready is not None:
        ready(address)
    try:
        server.run(sockets=[listener])
    finally:
        sandbox.core.closing.set()
        sandbox.core.deliveries.close()
        listener.close()
