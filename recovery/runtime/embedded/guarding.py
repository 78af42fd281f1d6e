"""Starts a process under a guard, so that no way of ending ours leaves that process running."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from recovery.runtime.embedded import guard
from recovery.runtime.embedded.guard import Errand

# The guard answers to a stop within one of its polls; the rest is for a machine under load.
GUARD_MARGIN_SECONDS = 10.0


def start_guard(errand: Errand, *, log: BinaryIO, env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Starts the guard of one process; what both print goes to `log`.

    The caller must hold a shared lock on the errand's `needed` file before calling, and wait for the guard
    at last.
    """
    command = [sys.executable, "-I", "-S", str(Path(guard.__file__)), json.dumps(errand)]
    return subprocess.Popen(  # noqa: S603 - our own script
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=dict(env),
        pass_fds=errand["keep_open"],
        start_new_session=True,
    )


def stop_bound_seconds(errand_stop: list[tuple[int, float]]) -> float:
    """The longest a guarded process may take to end."""
    return sum(seconds for _, seconds in errand_stop) + GUARD_MARGIN_SECONDS
