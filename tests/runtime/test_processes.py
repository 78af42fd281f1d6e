"""The process group: readiness, early death, and nobody left after any end."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from recovery.runtime.embedded.locks import polls
from recovery.runtime.processes import (
    ProcessDied,
    ProcessFailed,
    ProcessGroup,
    ProcessNotReady,
    unwinding_signals,
)

SLEEP = [sys.executable, "-S", "-c", "print('up', flush=True); import time; time.sleep(600)"]
# Starts a child in a session of its own, and both ignore the gentle signal.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "600"], start_new_session=True)
print("up", flush=True)
time.sleep(600)
"""
ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


def _says(log: Path, text: str) -> bool:
    return log.exists() and text in log.read_text()


def test_group_is_told_together_to_stop_and_logs(tmp_path: Path) -> None:
    note = tmp_path / "told"
    code = (
        "import pathlib, signal, sys, time\n"
        "note = pathlib.Path(sys.argv[2])\n"
        "def end(*_):\n"
        "    note.open('a').write(sys.argv[1])\n"
        "    while len(note.read_text()) < 3:\n"  # until all of them know
        "        time.sleep(0.01)\n"
        "    print('went by itself', flush=True)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "time.sleep(600)\n"
    )
    with ProcessGroup(tmp_path / "logs") as group:
        for name in ("a", "b", "c"):
            process = group.start(name, [sys.executable, "-S", "-c", code, name, str(note)], stop_seconds=5)
            group.wait_ready(process, partial(_says, process.log, "up"))
        tree = process.tree()
        assert tree
    assert all(_says(tmp_path / "logs" / f"{name}.log", "went by itself") for name in ("a", "b", "c"))
    assert not any(member.is_running() for member in tree)


def test_early_death_is_noticed_with_the_log(tmp_path: Path) -> None:
    with ProcessGroup(tmp_path) as group:
        good = group.start("good", SLEEP)
        group.wait_ready(good, lambda: _says(good.log, "up"))
        group.check()
        group.start("bad", [sys.executable, "-c", "raise SystemExit('no database here')"])
        with pytest.raises(ProcessDied, match=r"(?s)bad ended with status 1.*no database here"):
            group.wait_ready(good, lambda: False)
    with ProcessGroup(tmp_path) as group:
        absent = group.start("absent", ["/no/such/program"])
        with pytest.raises(ProcessDied, match="cannot run /no/such/program"):
            group.wait_ready(absent, lambda: False)


def test_slow_process_is_named(tmp_path: Path) -> None:
    with ProcessGroup(tmp_path) as group:
        process = group.start("slow", SLEEP)
        with pytest.raises(ProcessNotReady, match="slow was not ready"):
            group.wait_ready(process, "http://127.0.0.1:9/", seconds=0.2)


def test_http_readiness(tmp_path: Path) -> None:
    serve = (
        "import http.server\n"
        "s = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)\n"
        "print(s.server_port, flush=True)\n"
        "s.serve_forever()\n"
    )
    with ProcessGroup(tmp_path) as group:
        process = group.start("web", [sys.executable, "-u", "-c", serve], cwd=tmp_path)
        group.wait_ready(process, lambda: _says(process.log, "\n"))
        port = process.log.read_text().split()[0]
        group.wait_ready(process, f"http://127.0.0.1:{port}/")
        with pytest.raises(ProcessNotReady):
            group.wait_ready(process, f"http://127.0.0.1:{port}/missing", seconds=0.2)


def test_environment_is_passed_and_not_on_the_command_line(tmp_path: Path) -> None:
    code = "import os, time; print('got', os.environ['SECRET'], flush=True); time.sleep(600)"
    with ProcessGroup(tmp_path) as group:
        process = group.start("web", [sys.executable, "-c", code], env={**os.environ, "SECRET": "hush-7"})
        group.wait_ready(process, lambda: _says(process.log, "got hush-7"))
        seen = [*process.tree(), psutil.Process(process.guard.pid)]
        assert len(seen) == 2
        assert not any("hush-7" in " ".join(member.cmdline()) for member in seen)


def test_stubborn_tree_is_killed(tmp_path: Path) -> None:
    group = ProcessGroup(tmp_path)
    process = group.start("stubborn", [sys.executable, "-c", STUBBORN], stop_seconds=0.3)
    group.wait_ready(process, lambda: _says(process.log, "up"))
    tree = process.tree()
    assert len(tree) == 2
    group.stop()
    assert not any(member.is_running() for member in tree)


def test_killed_process_leaves_its_group_behind_for_nobody(tmp_path: Path) -> None:
    code = "import subprocess, time; subprocess.Popen(['sleep', '600']); print('up', flush=True); time.sleep(600)"
    with ProcessGroup(tmp_path) as group:
        process = group.start("worker", [sys.executable, "-c", code])
        group.wait_ready(process, lambda: _says(process.log, "up"))
        tree = process.tree()
        os.kill(process.pid, signal.SIGKILL)
        assert any(process.guard.poll() is not None for _ in polls(10))
        _, alive = psutil.wait_procs(tree, timeout=5)
        assert alive == []
        with pytest.raises(ProcessDied, match="status 137"):
            group.check()
        group.stop_one(process)
        again = group.start("worker", SLEEP)
        group.wait_ready(again, lambda: _says(again.log, "up"))
        with pytest.raises(ProcessFailed, match="runs already"):
            ProcessGroup(tmp_path).start("worker", SLEEP)


OWN = """
import sys, time
from pathlib import Path
from recovery.runtime.processes import ProcessGroup, unwinding_signals
with unwinding_signals(), ProcessGroup(Path(sys.argv[1])) as group:
    group.start("child", [sys.executable, "-c", sys.argv[2]], stop_seconds=1.0)
    print("started", flush=True)
    while True:
        time.sleep(0.1)
"""


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)],
)
def test_end_of_the_owner_ends_the_group(tmp_path: Path, number: signal.Signals, status: int) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWN, tmp_path, STUBBORN], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"started\n"
    assert any(_says(tmp_path / "child.log", "up") for _ in polls(10))
    tree = psutil.Process(owner.pid).children(recursive=True)
    assert len(tree) == 3
    # The stubborn child's own session is reached only by an orderly stop.
    outside = next(member for member in tree if member.name() == "sleep")
    owner.send_signal(number)
    owner.communicate(timeout=20)
    assert owner.returncode == status
    if number == signal.SIGKILL:
        tree.remove(outside)
    _, alive = psutil.wait_procs(tree, timeout=10)
    if outside.is_running():
        outside.kill()
    assert alive == []


def test_signals_unwind_once_and_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    unwound = []

    def interrupted() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGINT)  # an impatient second Ctrl-C
            unwound.append(True)

    with pytest.raises(SystemExit) as ended, unwinding_signals():
        interrupted()
    assert ended.value.code == 143
    assert unwound == [True]
    with pytest.raises(KeyboardInterrupt), unwinding_signals():
        signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


WORKER = """
import os
from celery import Celery
app = Celery(broker=os.environ["BROKER"])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, worker_prefetch_multiplier=1)
"""


@pytest.mark.parametrize("orderly", [True, False])
def test_pool_children_of_a_worker_end_with_it(tmp_path: Path, valkey_url: str, orderly: bool) -> None:
    (tmp_path / "pooled.py").write_text(WORKER)
    command = [sys.executable, "-m", "celery", "-A", "pooled", "worker", "--pool=prefork", "--concurrency=2"]
    env = {**ENV, "BROKER": valkey_url, "C_FORCE_ROOT": "1"}
    with ProcessGroup(tmp_path / "logs") as group:
        process = group.start(
            "worker", [*command, "--without-gossip", "--without-mingle", "--loglevel=INFO"], env=env, cwd=tmp_path
        )
        group.wait_ready(process, lambda: _says(process.log, " ready."))
        tree = process.tree()
        assert len(tree) >= 3
        if not orderly:
            process.guard.kill()  # nobody is left to wait for the worker but the kernel's signal
        started = time.monotonic()
        group.stop()
        assert time.monotonic() - started < 10
    _, alive = psutil.wait_procs(tree, timeout=10)
    assert alive == []
