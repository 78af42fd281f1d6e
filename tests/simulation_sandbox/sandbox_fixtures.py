"""A running sandbox, a real client of it, and a receiver of its webhooks."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import stripe
from sandbox_support import Clock, Receiver, Running, Server, connect

from recovery.simulation.sandbox import Sandbox, SandboxOptions, serve_sandbox


@pytest.fixture
def serve() -> Iterator[Server]:
    """Starts sandboxes; all end with the test."""
    with ExitStack() as stack:

        def start(options: SandboxOptions | None = None, **more: Any) -> Running:
            clock = Clock()
            sandbox = Sandbox(now=clock, options=options, **more)
            url = stack.enter_context(serve_sandbox(sandbox))

            def client(timeout: float) -> stripe.StripeClient:
                made = connect(url, timeout=timeout)
                http: Any = made._requestor._get_http_client()
                stack.callback(http.close)
                return made

            return Running(sandbox, clock, url, client(10.0), client)

        yield start


@pytest.fixture
def running(serve: Server) -> Running:
    return serve()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                status = found.answers.pop(0) if found.answers else 200
                found.bodies.append(body)
                found.signatures.append(self.headers["Stripe-Signature"])
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Receiver(url=f"http://127.0.0.1:{server.server_address[1]}/webhooks")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()
