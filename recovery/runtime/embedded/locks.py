"""File locks that the kernel drops when their holder dies, however it dies.

Without them a crash would leave pid files that lie: a server taken for running that is gone, or a second
server started on the same files. A lock belongs to the open file, so a child that inherits the file keeps
the lock, which is how a server's own processes prove that they are alive."""

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

SHARED = fcntl.LOCK_SH
ALONE = fcntl.LOCK_EX

# Short enough not to be felt at a prompt, long enough to cost nothing while waiting.
POLL_SECONDS = 0.05


def open_lock(path: Path) -> int:
    """Opens (creating it) a lock file; the descriptor is the caller's to close, which drops the lock."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def try_lock(descriptor: int, how: int) -> bool:
    """Takes the lock `SHARED` or `ALONE` if nobody is in the way; never waits."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def polls(seconds: float) -> Iterator[None]:
    """Turns of a bounded wait, the first at once.

    Counts turns and reads no clock: a test that freezes time must not wait for ever.
    """
    yield
    for _ in range(max(1, round(seconds / POLL_SECONDS))):
        time.sleep(POLL_SECONDS)
        yield
