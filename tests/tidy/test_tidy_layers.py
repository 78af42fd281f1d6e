"""The one-way flow between the rooms, checked on the tool itself."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tidy_support import PROJECT, read


def test_every_import_contract_is_kept() -> None:
    # A process of its own: the linter switches off every logger of the one that it is called in.
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-logo", "--no-cache"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_layers_name_every_room() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(contract for contract in contracts if contract["type"] == "layers")
    assert layers["exhaustive"] is True
    named = {room.strip() for layer in layers["layers"] for room in layer.split("|")}
    rooms = {path.parent.name for path in (PROJECT / "recovery").glob("*/__init__.py")}
    modules = {path.stem for path in (PROJECT / "recovery").glob("[!_]*.py")}
    assert named == rooms | modules
