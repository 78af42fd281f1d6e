"""The directory one embedded server lives in: its locks, its password, its log and where it listens.

Without one place that owns these file names, starting, attaching and stopping would each read the state of
a server differently, and two processes would start two servers on the same data.

`changing.lock`  held while somebody starts or stops the server
`needed.lock`    shared by everybody who uses it; its guard stops the server when nobody holds it
`running.lock`   held by the server's own processes, so it is free exactly when none of them is left
"""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recovery.runtime.embedded.account import Account, account_for
from recovery.runtime.embedded.errors import ServerBusy, ServerDirectoryUnusable
from recovery.runtime.embedded.locks import ALONE, open_lock, polls, try_lock

# A database that recovers after a crash may take minutes, and its starter holds the lock meanwhile.
CHANGE_BOUND_SECONDS = 330.0
# 24 random bytes: far beyond guessing over a loopback connection.
PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """An existing server directory and the account its server runs as (None: our own)."""

    directory: Path
    account: Account | None

    @property
    def needed(self) -> Path:
        """The lock file of everybody who uses the server."""
        return self.directory / "needed.lock"

    @property
    def running(self) -> Path:
        """The lock file of the server's own processes."""
        return self.directory / "running.lock"

    @property
    def log(self) -> Path:
        """What the server printed since it was last started."""
        return self.directory / "server.log"

    @property
    def data(self) -> Path:
        """Where the server keeps its files; owned by its account."""
        return self.directory / "data"

    @property
    def data_seen_by_server(self) -> str:
        """The same as a path the server itself can open: it is started inside, where parents may be closed
        to it.
        """
        return str(self.data) if self.account is None else "/proc/self/cwd"

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Nobody else starts or stops the server meanwhile. Raises `ServerBusy`."""
        descriptor = open_lock(self.directory / "changing.lock")
        try:
            for _ in polls(CHANGE_BOUND_SECONDS):
                if try_lock(descriptor, ALONE):
                    break
            else:
                raise ServerBusy(
                    f"another process has been starting or stopping the server in {self.directory} for "
                    f"{CHANGE_BOUND_SECONDS:.0f} s; see {self.log}, and end that process if it hangs"
                )
            yield
        finally:
            os.close(descriptor)

    def server_is_gone(self) -> bool:
        """Whether no process of the server is left."""
        descriptor = open_lock(self.running)
        try:
            return try_lock(descriptor, ALONE)
        finally:
            os.close(descriptor)

    def password(self) -> str:
        """The server's password, made up once. Raises `ServerDirectoryUnusable` if data outlived its
        password.
        """
        path = self.directory / "password"
        if not path.exists():
            if self.data.exists():
                raise ServerDirectoryUnusable(
                    f"{path} is missing while {self.data} exists: put it back from a backup, or remove {self.directory}"
                )
            self._write(path, secrets.token_urlsafe(PASSWORD_BYTES))
        return path.read_text(encoding="ascii")

    def note_port(self, port: int | None) -> None:
        """Tells others where the server listens; None while that is not known."""
        self._write(self.directory / "server.json", json.dumps({"port": port}))

    def port(self) -> int | None:
        """Where the server listens, if its starter got as far as telling."""
        try:
            found = json.loads((self.directory / "server.json").read_text(encoding="ascii"))["port"]
        except (OSError, ValueError, KeyError):
            return None
        return found if isinstance(found, int) else None

    def make_data(self, name: str) -> Path:
        """An empty directory of this name that belongs to the server's account alone."""
        made = self.directory / name
        made.mkdir(mode=0o700)
        if self.account is not None:
            os.chown(made, self.account.uid, self.account.gid)
        return made

    def _write(self, path: Path, text: str) -> None:
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        self.give_to_owner(fresh)
        fresh.replace(path)

    def give_to_owner(self, path: Path) -> None:
        """As root in somebody's directory: what we write there stays theirs to use."""
        if os.geteuid() == 0:
            status = self.directory.stat()
            os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)


def open_home(directory: Path) -> Home:
    """Makes the directory where it is missing, readable by us alone. Raises `ServerDirectoryUnusable`."""
    directory = directory.absolute()
    try:
        # Root's server runs as another account, which must get through (not read) to a copy of its programs.
        directory.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
        home = Home(directory=directory, account=account_for(directory))
        for name in ("changing.lock", "needed.lock", "running.lock"):
            os.close(open_lock(directory / name))
            home.give_to_owner(directory / name)
    except OSError as error:
        raise ServerDirectoryUnusable(
            f"cannot use {directory} for a server: {error}; choose another directory with RECOVERY_DATA_DIR"
        ) from error
    return home
