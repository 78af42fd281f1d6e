"""``recovery web`` as a process: with servers of its own, until it is told to stop."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from building import CONFIG

START_SECONDS = 60.0


def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECOVERY_DATABASE")}
    chosen = {
        "RECOVERY_DATA_DIR": str(tmp_path / "data"),
        "RECOVERY_CONFIG_DIR": str(CONFIG),
        "RECOVERY_WEB_PORT": "0",
        "RECOVERY_PAGES": "open",
    }
    return kept | chosen


def cli(*words: str) -> list[str]:
    return [sys.executable, "-m", "recovery.runtime.cli", *words]


def address_of(log: Path, process: "subprocess.Popen[bytes]") -> str:
    ends_at = time.monotonic() + START_SECONDS
    while time.monotonic() < ends_at:
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            return found[0]
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def test_it_serves_with_servers_of_its_own_and_leaves_nothing(tmp_path: Path) -> None:
    told = environment(tmp_path)
    log = tmp_path / "web.log"
    with log.open("wb") as file:
        process = subprocess.Popen(cli("web"), env=told, stdout=file, stderr=file, cwd=tmp_path)
        try:
            address = address_of(log, process)
            # A command beside it finds the same servers.
            migrated = subprocess.run(
                cli("migrate"), env=told, cwd=tmp_path, capture_output=True, timeout=60, check=True
            )
            assert b"at version" in migrated.stdout
            with urllib.request.urlopen(f"{address}/readyz", timeout=10) as answer:
                assert answer.status == 200
            with urllib.request.urlopen(f"{address}/report", timeout=20) as answer:
                assert b"Recovered revenue" in answer.read()
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=60)
    assert code == 128 + signal.SIGTERM
    assert "Traceback" not in log.read_text(), log.read_text()
    assert '"level": "info"' in log.read_text()


def test_a_missing_setting_is_one_clear_line(tmp_path: Path) -> None:
    told = environment(tmp_path) | {"RECOVERY_STRIPE_WEBHOOK_SECRETS": "whsec_1"}
    told |= {"RECOVERY_DATABASE_URL": "postgresql://x@127.0.0.1:1/x", "RECOVERY_BROKER_URL": "redis://127.0.0.1:1/0"}
    ran = subprocess.run(cli("web"), env=told, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert "RECOVERY_STRIPE_SECRET_KEY" in ran.stderr
    assert "Traceback" not in ran.stderr
