"""Finds the release that an upgrade starts from: the newest commit with the schema before the newest migration.

While the processes of an installation are replaced one by one, its workers work on beside the new ones, on the new schema. Without it
that hour of every upgrade would only be tried by hand.
"""

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recovery.dunning.letter import Brand, Letters
from recovery.runtime.config_check import folder_mistakes

ROOT = Path(__file__).parents[2]
MIGRATIONS = Path("recovery/storage/migrations/versions")


class NoEarlierRelease(Exception):
    """No earlier release can work along; the message says why, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier release: which commit, and the folder that its program and configuration were laid into."""

    revision: str
    folder: Path

    @property
    def config(self) -> Path:
        """Its policy and knowledge: what an installation that is being upgraded goes by, old and new processes alike."""
        return self.folder / "config"


def previous_schema(root: Path = ROOT) -> str:
    """The newest commit that has the schema before the newest migration. Raises NoEarlierRelease."""
    try:
        top = _git(root, "rev-parse", "--show-toplevel")
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise NoEarlierRelease("this is no git checkout: where an earlier release came from is not known") from error
    if not Path(top.strip()).samefile(root):
        raise NoEarlierRelease("this tree was exported from its repository: there is no earlier release in it")
    newest = MIGRATIONS / max(path.name for path in (root / MIGRATIONS).glob("[0-9]*.py"))
    if not _git(root, "ls-files", str(newest)):
        return _git(root, "rev-parse", "HEAD").strip()  # it is not committed yet
    wanted = ("--first-parent", "-m", "--no-renames", "--diff-filter=A", "--format=%H", "-1")
    added = _git(root, "log", *wanted, "--", str(newest)).strip()
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", f"{added}^1").strip()
    except subprocess.CalledProcessError as error:
        raise NoEarlierRelease(f"the history ends before {newest.name} was added: this is a shallow clone") from error


def earlier(revision: str, folder: Path, root: Path = ROOT) -> Earlier:
    """Lay the program as it was at a commit into a folder.

    Raises NoEarlierRelease where this release refuses the configuration of that time, so that the two never run together.
    """
    packed = subprocess.run(
        ["git", "archive", revision, "recovery", "config"], cwd=root, check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
        safely: dict[str, Any] = (
            {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        )  # not before Python 3.11.4
        files.extractall(folder, **safely)
    found = Earlier(revision=revision, folder=folder)
    letters = Letters(found.config / "emails", Brand(name="Chaos", sender="chaos@example.com"))
    mistakes = folder_mistakes(found.config, letters)
    if mistakes:
        raise NoEarlierRelease(f"this release refuses the configuration of {revision[:10]}: {mistakes[0]}")
    return found


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout
