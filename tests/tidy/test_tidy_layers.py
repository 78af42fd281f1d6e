"""The one-way flow between the rooms, checked on the tool itself."""

import tomllib

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports
from tidy_support import PROJECT, read


def test_every_import_contract_is_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(PROJECT)  # the linter reads pyproject.toml where it stands
    status = lint_imports(cache_dir=None, show_timings=False, is_debug_mode=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_the_layers_name_every_room() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(contract for contract in contracts if contract["type"] == "layers")
    assert layers["exhaustive"] is True
    named = {room.strip() for layer in layers["layers"] for room in layer.split("|")}
    rooms = {path.parent.name for path in (PROJECT / "recovery").glob("*/__init__.py")}
    modules = {path.stem for path in (PROJECT / "recovery").glob("[!_]*.py")}
    assert named == rooms | modules
