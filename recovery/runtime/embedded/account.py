"""Which system account a server runs as when we are root.

Without this root could not run PostgreSQL at all (it refuses), and a server that listens would hold every
right on the machine. No account is created: an unprivileged one that every system has is enough."""

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path

from recovery.runtime.embedded.errors import ServerDirectoryUnusable

# In the order of preference; `nobody` exists on every common distribution, `daemon` on the others.
UNPRIVILEGED = ("nobody", "daemon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A system account to become."""

    uid: int
    gid: int

    def may(self, path: Path, *, need: int) -> bool:
        """Whether the permission bits `need` (4 read, 1 enter or execute) are granted on just this path."""
        status = path.stat()
        if status.st_uid == self.uid:
            granted = status.st_mode >> 6
        elif status.st_gid == self.gid:
            granted = status.st_mode >> 3
        else:
            granted = status.st_mode
        return granted & need == need

    def may_reach(self, directory: Path) -> bool:
        """Whether every directory on the way, and this one, may be entered."""
        return all(self.may(step, need=1) for step in [directory, *directory.parents])


def _is_known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def account_for(directory: Path) -> Account | None:
    """The account a server on this directory must run as; None where we are not root and stay who we are.

    Data keeps its owner, and so does a directory that belongs to somebody: root's run must not lock them out.
    Raises `ServerDirectoryUnusable` when there is no account to become.
    """
    if os.geteuid() != 0:
        return None
    if not sys.platform.startswith("linux"):
        raise ServerDirectoryUnusable(
            "embedded servers run as root on Linux only; start as an ordinary user, "
            "or set RECOVERY_DATABASE_URL and RECOVERY_BROKER_URL to servers of your own"
        )
    existing = directory / "data"
    status = existing.stat() if existing.exists() else directory.stat()
    # A container's volume may belong to a number without a name, as which no database can be created.
    if status.st_uid != 0 and (existing.exists() or _is_known(status.st_uid)):
        return Account(uid=status.st_uid, gid=status.st_gid)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise ServerDirectoryUnusable(
        f"running as root, and none of the accounts {', '.join(UNPRIVILEGED)} exists to run the server as; "
        "start as an ordinary user"
    )
