"""Catches the demo's email and lets the world's customers read it. Without it the demo would write to nobody, or to somebody."""

import socket
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller

from recovery.runtime.demo.world_link import WorldLink


@dataclass(slots=True)
class Caught:
    """The emails that arrived, in order, with the address each was for."""

    emails: list[tuple[str, Message]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, to: str, message: Message) -> None:
        """Keep one email."""
        with self._lock:
            self.emails.append((to, message))

    def message_ids(self) -> list[str]:
        """The Message-ID of every email caught."""
        with self._lock:
            return [str(message["Message-ID"]) for _, message in self.emails]


class _Handler:
    def __init__(self, caught: Caught, world: WorldLink) -> None:
        self._caught = caught
        self._world = world

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: ANN401 - aiosmtpd
        for to in envelope.rcpt_tos:
            self._caught.add(to, message_from_bytes(envelope.content))
            self._world.mail(to)
        return "250 caught"


class _BoundController(Controller):
    """The library's controller cannot tell which port it got; so it gets a socket that is bound already."""

    def __init__(self, handler: _Handler, bound: socket.socket) -> None:
        host, port = bound.getsockname()
        super().__init__(handler, hostname=host, port=port, server_hostname="catcher")
        self._bound = bound

    def _create_server(self) -> Awaitable[Any]:
        return self.loop.create_server(self._factory_invoker, sock=self._bound)


@contextmanager
def catch_mail(world: WorldLink) -> Iterator[tuple[Caught, int]]:
    """An SMTP server on a free loopback port; gives what it caught and the port."""
    caught = Caught()
    # Named, for asyncio sends at once only where it knows that this is TCP: each email would else wait forty milliseconds for an
    # acknowledgement that the client delays.
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    controller = _BoundController(_Handler(caught, world), bound)
    controller.start()
    try:
        yield caught, int(bound.getsockname()[1])
    finally:
        controller.stop()
