"""A server that is killed and comes back behind the same port. Without it a restart would look like another installation."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import psutil
from chaos_proxy import Proxy

from recovery.runtime.embedded import EmbeddedServer

START_TRIES = 5


class Server:
    """One embedded server behind a proxy; ``url`` stays true over its deaths."""

    def __init__(self, open_it: Callable[[], AbstractContextManager[EmbeddedServer]], proxy: Proxy) -> None:
        self._open_it = open_it
        self._proxy = proxy
        self._held = ExitStack()
        self.start()

    @property
    def url(self) -> str:
        """Where clients connect: the proxy."""
        return self._url.replace(f":{self._port}/", f":{self._proxy.port}/")

    @property
    def direct_url(self) -> str:
        """Where the server itself is now."""
        return self._url

    def start(self) -> None:
        """Start it, again, on whatever port is free."""
        server = self._held.enter_context(self._open_it())
        self._url, self._port = server.url, server.port
        self._proxy.target = server.port

    def kill(self) -> None:
        """kill -9, and the wires with it."""
        self._proxy.target = None
        for process in listeners(self._port):
            process.kill()
        self._proxy.cut()
        self._held.close()

    def close(self) -> None:
        """Stop it in order."""
        self._held.close()


def listeners(port: int) -> list[psutil.Process]:
    """Who listens on a loopback port."""
    found = []
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
            found.append(psutil.Process(connection.pid))
    return found


@contextmanager
def served(
    open_it: Callable[[Path], AbstractContextManager[EmbeddedServer]], directory: Path
) -> Iterator[tuple[Server, Proxy]]:
    """A server of that kind in that directory, behind a proxy."""
    with Proxy() as proxy:
        server = Server(lambda: open_it(directory), proxy)
        try:
            yield server, proxy
        finally:
            server.close()
