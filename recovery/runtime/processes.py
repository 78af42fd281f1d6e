"""Runs the stack's processes as one: start, wait until ready, notice a death, stop them all.

Without it the demo would be a handful of processes of which some survive the others: a worker that goes on
charging after its web process failed, or pool children that hold the database open when the terminal is
long closed.
"""

import contextlib
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import psutil

from recovery.runtime.embedded.errors import last_lines
from recovery.runtime.embedded.guard import Errand
from recovery.runtime.embedded.guarding import start_guard, stop_bound_seconds
from recovery.runtime.embedded.locks import ALONE, SHARED, open_lock, polls, try_lock

# Long enough for a worker to finish the gateway call it is in, short enough for somebody waiting at the prompt.
STOP_SECONDS = 15.0
# A killed process leaves when the kernel gets to it.
KILL_SECONDS = 5.0
# Python, the web stack and a migration check on a busy two-core machine.
READY_SECONDS = 60.0
# One readiness probe on loopback.
PROBE_SECONDS = 2.0

Ready = Callable[[], bool] | str


class ProcessFailed(RuntimeError):
    """A process of the group is not as it should be; the message carries the last lines of its log."""


class ProcessDied(ProcessFailed):
    """It ended although nobody stopped it."""


class ProcessNotReady(ProcessFailed):
    """It lives, and did not become ready in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedProcess:
    """A running member of the group. Its guard lives exactly as long as the process."""

    name: str
    log: Path
    guard: "subprocess.Popen[bytes]"
    needed: int
    stop: list[tuple[int, float]]

    def check(self) -> None:
        """Raises `ProcessDied` if it ended."""
        code = self.guard.poll()
        if code is not None:
            raise ProcessDied(f"{self.name} ended with status {code}; {last_lines(self.log)}")

    @property
    def pid(self) -> int:
        """The process itself (not its guard). Raises `ProcessDied` if it ended."""
        for _ in polls(PROBE_SECONDS):  # the guard needs a moment to start it
            self.check()
            with contextlib.suppress(psutil.NoSuchProcess):
                if children := psutil.Process(self.guard.pid).children():
                    return children[0].pid
        raise ProcessNotReady(f"{self.name} has not been started by its guard; {last_lines(self.log)}")

    def tree(self) -> list[psutil.Process]:
        """The process and all it started."""
        try:
            return psutil.Process(self.guard.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


class ProcessGroup:
    """Named processes with their logs in one directory, stopped together.

    When this process dies, killed or not, its guards stop the group.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._started: list[StartedProcess] = []

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_seconds: float = STOP_SECONDS,
    ) -> StartedProcess:
        """Starts one process in a session of its own; output goes to NAME.log. `env` replaces ours when
        given.

        Secrets belong in `env`: the command line is everybody's to read.
        """
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = self._logs / f"{name}.log"
        needed_path = self._logs / f"{name}.lock"
        needed = open_lock(needed_path)
        # Alone first: a lock shared with another owner's process of this name would keep both alive.
        if not (try_lock(needed, ALONE) and try_lock(needed, SHARED)):
            os.close(needed)
            raise ProcessFailed(f"{name} runs already with its log in {self._logs}; use another directory")
        stop = [(int(signal.SIGTERM), stop_seconds), (int(signal.SIGKILL), KILL_SECONDS)]
        errand = Errand(
            argv=[str(word) for word in argv],
            cwd=str(cwd or Path.cwd()),
            account=None,
            needed=str(needed_path),
            keep_open=[],
            stop=stop,
            orphaned=signal.SIGTERM,
        )
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "ab", buffering=0) as output:
            guard = start_guard(errand, log=output, env=os.environ if env is None else env)
        process = StartedProcess(name=name, log=log, guard=guard, needed=needed, stop=stop)
        self._started.append(process)
        return process

    def wait_ready(self, process: StartedProcess, ready: Ready, *, seconds: float = READY_SECONDS) -> None:
        """Returns when `ready` (a callable, or a URL that answers 2xx) says so.

        Raises `ProcessDied` as soon as any of the group ends, `ProcessNotReady` after `seconds`.
        """
        for _ in polls(seconds):
            self.check()
            if _answers(ready) if isinstance(ready, str) else ready():
                return
        told = last_lines(process.log)
        raise ProcessNotReady(f"{process.name} was not ready after {seconds:.0f} s; {told}")

    def check(self) -> None:
        """Raises `ProcessDied` if one of the group ended."""
        for process in self._started:
            process.check()

    def stop_one(self, process: StartedProcess) -> None:
        """Stops one of the group and forgets it; its name may be started again."""
        self._started.remove(process)
        _stop(process)

    def stop(self) -> None:
        """Stops all at once; ends what does not stop, with everything it started."""
        # All are told before any is waited for: the slowest takes as long as all of them.
        trees = {process.name: process.tree() for process in self._started}
        for process in self._started:
            process.guard.terminate()
        while self._started:
            process = self._started.pop()
            _ended(process, trees[process.name])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=PROBE_SECONDS) as response:  # noqa: S310 - our own processes
            return bool(200 <= response.status < 300)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:  # not listening yet
        return False


def _stop(process: StartedProcess) -> None:
    # Remembered before: what the process started leaves the tree when its parent ends.
    tree = process.tree()
    process.guard.terminate()
    _ended(process, tree)


def _ended(process: StartedProcess, tree: list[psutil.Process]) -> None:
    """Wait until a process that was told to stop is gone, with all that it had started."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.guard.wait(stop_bound_seconds(process.stop))
    for left in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            left.kill()  # compares the time of creation: never a stranger with the same number
    psutil.wait_procs(tree, timeout=KILL_SECONDS)
    if process.guard.poll() is None:
        process.guard.kill()
        process.guard.wait(KILL_SECONDS)
    os.close(process.needed)


@contextlib.contextmanager
def unwinding_signals() -> Iterator[None]:
    """Inside, the first SIGINT or SIGTERM unwinds the stack, and further ones cannot interrupt the unwinding.

    SIGINT raises `KeyboardInterrupt`, SIGTERM `SystemExit` with the status a shell expects. Main thread only.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("signals are handled in the main thread")
    told: list[int] = []

    def unwind(number: int, _frame: FrameType | None) -> None:
        if told:
            return
        told.append(number)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, unwind) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
