"""Commands run inside the test's process, as typed. Without it each would wait for a Python of its own."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from building import CONFIG
from commanding import Ran, Run

from recovery.runtime.cli import main


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Undoes what a command, or a process of ours, does to the logging of this process."""
    root = logging.getLogger()
    handlers, level, before = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.configure(**before)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], logging_as_before: None
) -> Run:
    """Runs a command in an empty directory, with nothing in the environment but what a test sets."""
    monkeypatch.chdir(tmp_path)
    if "RECOVERY_CONFIG_DIR" not in os.environ:
        monkeypatch.setenv("RECOVERY_CONFIG_DIR", str(CONFIG))

    def run_command(*words: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(words))
        said = capsys.readouterr()
        assert left.value.code is None or isinstance(left.value.code, int)
        return Ran(code=left.value.code or 0, out=said.out, err=said.err)

    return run_command
