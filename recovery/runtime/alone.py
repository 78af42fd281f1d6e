"""Lets one process of a worker's pool at a time do work of a kind. Without it a mail server or an app that hangs would take the pool's
processes one after the other, and charges would wait until it lets go.
"""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


class Alone:
    """Places that one process at a time may take. Make it before the fork: what the processes share is the file.

    The kernel keeps such a lock for the process, not for the open file, and drops it however the process ends.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - held as long as the worker, and nameless: it leaves nothing behind

    @contextmanager
    def taking(self, place: int) -> Iterator[bool]:
        """Hold a place while the context lasts; False when another process has it. Never waits."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)
