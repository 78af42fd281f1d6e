"""How a worker process ends: a supervisor may start again only what failed."""

import os
import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).resolve().parents[2] / "config"

GIVES_UP = """
from celery.worker.consumer import Consumer

def start(self):
    raise AttributeError("what the broker's client raised when its connection was lost for the second time")

Consumer.start = start
from recovery.runtime.cli import main
main()
"""


def test_a_worker_that_gives_up_says_so_by_its_status(tmp_path: Path, database_url: str, valkey_url: str) -> None:
    """It ended as if it had been told to; whoever starts again what failed would have left it."""
    ours = {
        "RECOVERY_DATABASE_URL": database_url,
        "RECOVERY_BROKER_URL": valkey_url,
        "RECOVERY_DATA_DIR": str(tmp_path),
        "RECOVERY_CONFIG_DIR": str(CONFIG),
        "RECOVERY_STRIPE_SECRET_KEY": "sk_test_worker",
        "RECOVERY_STRIPE_API_BASE": "http://127.0.0.1:1",
    }
    command = [sys.executable, "-c", GIVES_UP, "worker"]
    ended = subprocess.run(command, env=os.environ | ours, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "Unrecoverable error" in ended.stdout + ended.stderr
