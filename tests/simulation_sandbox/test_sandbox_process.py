"""The sandbox as a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx

_PROGRAM = """
from datetime import UTC, datetime
from recovery.simulation.sandbox import RunSettings, run_sandbox
at = datetime(2026, 11, 1, tzinfo=UTC)
run_sandbox(RunSettings(start_at=at, port=0, customers=5), now=lambda: at, ready=lambda url: print(url, flush=True))
"""


def test_it_serves_until_it_is_told_to_end() -> None:
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True, cwd=root)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        state = httpx.get(f"{url}/_sandbox/state", timeout=20).json()
        assert state["business_now"] == "2026-11-01T00:00:00+00:00"
        assert state["next_due_at"] is not None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
