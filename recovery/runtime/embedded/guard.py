"""Stands between us and a process we started, and ends that process when nobody needs it any more.

Without it a `kill -9` of the owner (or a closed laptop lid and an impatient systemd) leaves servers and
workers behind, which hold ports, files and leases. The owner holds a shared lock on the errand's `needed`
file; the guard asks for the same lock alone and gets it only when every owner is gone. Should the guard
itself be killed, the kernel signals the process (Linux only).

Runs as a script of its own (`python -I -S guard.py ERRAND`), with the standard library only, so that it
needs no environment and forks from a process that has one thread.
"""

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, TypedDict

# Bounds how long a server outlives its last user; ten wake-ups a second cost nothing measurable.
POLL_SECONDS = 0.1
PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>
COULD_NOT_RUN = 127  # what a shell answers for a command that it cannot run


class Errand(TypedDict):
    """What to run and how to end it. Holds no secrets: it is visible in the process list."""

    argv: list[str]
    cwd: str
    account: tuple[int, int] | None  # user and group id to become, when we are root
    needed: str  # path of the file that owners hold a shared lock on
    keep_open: list[int]  # descriptors that the process inherits
    stop: list[tuple[int, float]]  # signals to end it, each with the seconds it is given
    orphaned: int  # the signal the kernel sends when the guard is killed


def _follow_parent(signal_number: int, guard: int) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl

    def follow() -> None:  # runs in the child, after privileges are dropped: dropping them clears the setting
        prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != guard:  # the guard died in between; no signal will come
            os._exit(COULD_NOT_RUN)

    return follow


def _nobody_needs_it(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end(process: "subprocess.Popen[bytes]", stop: list[tuple[int, float]]) -> None:
    for number, seconds in stop:
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        break


def _end_rest_of_group(leader: int) -> None:
    # Workers of a pool survive a main process that was killed; the leader's id stays theirs as a group.
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # nobody left (macOS answers EPERM for a group of zombies)


def stand_guard(errand: Errand) -> int:
    """Runs the process until it ends or nobody needs it; returns its exit status as a shell would."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    needed = os.open(errand["needed"], os.O_RDWR | os.O_CLOEXEC)
    options: dict[str, Any] = {}
    if errand["account"] is not None:
        options = {"user": errand["account"][0], "group": errand["account"][1], "extra_groups": []}
    try:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            errand["argv"],
            cwd=errand["cwd"],
            stdin=subprocess.DEVNULL,
            pass_fds=errand["keep_open"],
            start_new_session=True,  # a Ctrl-C at the terminal is the owner's to handle
            preexec_fn=_follow_parent(errand["orphaned"], os.getpid()),
            **options,
        )
    except OSError as error:
        sys.stderr.write(f"cannot run {errand['argv'][0]}: {error}\n")
        return COULD_NOT_RUN
    while process.poll() is None and not told and not _nobody_needs_it(needed):
        time.sleep(POLL_SECONDS)
    if process.poll() is None:
        _end(process, errand["stop"])
    _end_rest_of_group(process.pid)
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(stand_guard(json.loads(sys.argv[1])))
