"""Applications of ours, really served on a free loopback port. Without it each folder of tests would start and stop them in its way."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

START_SECONDS = 20.0
GRACE_SECONDS = 5


@contextmanager
def free_port() -> Iterator[socket.socket]:
    """A socket that is bound already, for who must know the address before the application is made."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


def address_of(bound: socket.socket) -> str:
    """What leads to it."""
    return f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def served_on(bound: socket.socket, app: Starlette) -> Iterator[str]:
    """The application on a socket, until the block ends; its address."""
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        ends_at = time.monotonic() + START_SECONDS
        while not server.started:
            assert thread.is_alive(), "the server ended"
            assert time.monotonic() < ends_at, "the server did not start"
            time.sleep(0.005)
        yield address_of(bound)
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The application on a port of its own; its address."""
    with free_port() as bound, served_on(bound, app) as url:
        yield url
