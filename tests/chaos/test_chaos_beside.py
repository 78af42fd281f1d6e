"""Finding the release that an upgrade starts from, in a checkout, a shallow clone and an exported tree."""

import shutil
import subprocess
from pathlib import Path

import pytest
from chaos_beside import MIGRATIONS, ROOT, NoEarlierRelease, earlier, previous_schema


def git(root: Path, *words: str) -> str:
    named = ("-c", "user.name=Chaos", "-c", "user.email=chaos@example.com", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *named, *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path, migration: str) -> str:
    (root / MIGRATIONS).mkdir(parents=True, exist_ok=True)
    (root / MIGRATIONS / migration).touch()
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--allow-empty", "-m", migration)
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "checkout"
    made.mkdir()
    git(made, "init", "--quiet")
    return made


def test_it_is_the_newest_commit_without_the_newest_migration(root: Path) -> None:
    commit(root, "0001_first.py")
    git(root, "checkout", "--quiet", "-b", "side")
    side = commit(root, "0002_second.py")
    git(root, "checkout", "--quiet", "main")
    wanted = commit(root, "0001_first.py")  # went on while the branch was made
    git(root, "merge", "--quiet", "--no-ff", "-m", "merge", side)
    commit(root, "0002_second.py")
    assert previous_schema(root) == wanted


def test_a_migration_that_is_not_committed_comes_after_all_that_is(root: Path) -> None:
    wanted = commit(root, "0001_first.py")
    (root / MIGRATIONS / "0002_second.py").touch()
    assert previous_schema(root) == wanted


def test_why_there_is_none_is_told_in_words(root: Path, tmp_path: Path) -> None:
    commit(root, "0001_first.py")
    commit(root, "0002_second.py")
    git(tmp_path, "clone", "--quiet", "--depth", "1", root.as_uri(), "shallow")
    with pytest.raises(NoEarlierRelease, match=r"before 0002_second\.py was added: this is a shallow clone"):
        previous_schema(tmp_path / "shallow")
    shutil.copytree(root / "recovery", root / "within" / "recovery")
    with pytest.raises(NoEarlierRelease, match="exported from its repository"):
        previous_schema(root / "within")
    shutil.copytree(root / "recovery", tmp_path / "exported" / "recovery")
    with pytest.raises(NoEarlierRelease, match="no git checkout"):
        previous_schema(tmp_path / "exported")


def test_this_very_checkout_has_one(tmp_path: Path) -> None:
    try:
        found = earlier(previous_schema(), tmp_path)
    except NoEarlierRelease as why:
        pytest.skip(f"an earlier release's worker beside this one's is left out: {why}")
    newest = max(path.name for path in (ROOT / MIGRATIONS).glob("[0-9]*.py"))
    assert not (found.folder / MIGRATIONS / newest).exists()
    assert any((found.folder / MIGRATIONS).glob("[0-9]*.py"))
