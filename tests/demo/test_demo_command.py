"""The demo as a newcomer runs it: from anywhere, twice at once, leaving nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from commanding import Run

pytest_plugins = ["command_fixtures"]

ROOT = Path(__file__).resolve().parents[2]


def _started(folder: Path, *more: str) -> "subprocess.Popen[str]":
    folder.mkdir()
    command = [sys.executable, "-m", "recovery.runtime.cli", "demo", "--exit", "--json", "outcome.json", *more]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "RECOVERY_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    }
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def _outcome(run: "subprocess.Popen[str]", folder: Path) -> dict[str, Any]:
    output, _ = run.communicate(timeout=200)
    assert run.returncode == 0, output
    outcome: dict[str, Any] = json.loads((folder / "outcome.json").read_text())
    return outcome


def test_two_demos_at_once_tie_out_and_agree_to_the_cent(tmp_path: Path) -> None:
    options = ("--customers", "3", "--days", "7", "--seed", "3", "--world", "hours")
    runs = [_started(tmp_path / name, *options) for name in ("one", "two")]
    one, two = (_outcome(run, tmp_path / name) for run, name in zip(runs, ("one", "two"), strict=True))
    assert one["ok"]
    assert all(one["checks"].values())
    assert sum(one["cases"].values()) == 3
    assert one["sandbox"]["charged_twice"] == []
    assert one == two
    assert one["same_seed"]["with us"]["recovered"] == one["cases"].get("recovered", 0)
    assert one["same_seed"]["with nothing"]["cases"] == 3


def test_a_demo_with_faults_still_ties_out(tmp_path: Path) -> None:
    faults = ["charge_then_500=0.2", "reset_after=0.1", "reset_before=0.1", "rate_limited=0.1", "doubled=0.2"]
    # A person resumes charging, and the gateway's lists tell what no webhook told.
    faults += ["forbidden=0.1", "lost=0.3"]
    options = [word for fault in faults for word in ("--faults", fault)]
    run = _started(tmp_path / "broken", "--customers", "4", "--days", "7", *options)
    outcome = _outcome(run, tmp_path / "broken")
    assert outcome["ok"], outcome["checks"]
    assert outcome["sandbox"]["charged_twice"] == []


def test_an_interrupted_demo_leaves_no_process(tmp_path: Path) -> None:
    run = _started(tmp_path / "cut", "--customers", "3", "--days", "45")
    assert run.stdout is not None
    for line in run.stdout:
        if line.startswith("playing"):
            break
    family = psutil.Process(run.pid).children(recursive=True)
    assert len(family) > 4
    run.terminate()
    run.communicate(timeout=60)
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--json", "/nowhere/at/all.json"], "does not exist"),
        (["--faults", "charge_then_500=2"], "between 0 and 1"),
        (["--faults", "gremlins=0.1"], "none of"),
        (["--customers", "0"], "customers"),
        (["--world", "atlantis.toml"], "missing"),
    ],
)
def test_bad_options_are_refused_before_anything_starts(run: Run, options: list[str], said: str) -> None:
    done = run("demo", "--exit", *options)
    assert done.code == 2
    assert said in done.out + done.err
