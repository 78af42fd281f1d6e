"""Programs that the server's account cannot reach are copied once; nothing else is touched."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import recovery
from recovery.runtime.embedded.account import Account, account_for
from recovery.runtime.embedded.errors import ServerDirectoryUnusable, ServerProgramMissing
from recovery.runtime.embedded.programs import Wheel, programs_root

SOMEBODY = Account(uid=54321, gid=54321)
WHEEL = Wheel(distribution="pytest", package="carrier", parts=("carrier/bin", "carrier.libs"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Installed packages below a directory that only we may enter."""
    home = tmp_path / "home"
    (home / "carrier/bin").mkdir(parents=True)
    home.chmod(0o700)
    (home / "carrier/__init__.py").write_text("raise RuntimeError('never import it')")
    program = home / "carrier/bin/server"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o700)
    monkeypatch.syspath_prepend(home)
    return home


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory everybody may enter (pytest's own are closed to others)."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_wheel_is_used_in_place_when_we_stay_who_we_are(site: Path, public: Path) -> None:
    assert programs_root(WHEEL, None, beside=public) == site
    assert list(public.iterdir()) == []


def test_copy_is_made_once_and_completed_when_a_cleaner_took_a_file(site: Path, public: Path) -> None:
    copy = programs_root(WHEEL, SOMEBODY, beside=public)
    assert copy.parent == public
    program = copy / "carrier/bin/server"
    assert program.stat().st_mode & 0o777 == 0o755
    made = program.stat().st_ino
    assert programs_root(WHEEL, SOMEBODY, beside=public) == copy
    assert program.stat().st_ino == made
    program.unlink()
    assert programs_root(WHEEL, SOMEBODY, beside=public) == copy
    assert subprocess.check_output([program]) == b"hello\n"
    assert [entry.name for entry in public.iterdir()] == [copy.name]
    assert site.stat().st_mode & 0o777 == 0o700  # somebody else's directory stays as it was


def test_temporary_directory_is_the_second_choice(
    site: Path, public: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(public))
    assert programs_root(WHEEL, SOMEBODY, beside=tmp_path).parent == public
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ServerDirectoryUnusable, match="TMPDIR"):
        programs_root(WHEEL, SOMEBODY, beside=tmp_path)


def test_planted_copy_is_refused(site: Path, public: Path) -> None:
    copy = programs_root(WHEEL, SOMEBODY, beside=public)
    copy.chmod(0o777)
    with pytest.raises(ServerDirectoryUnusable, match="not ours alone"):
        programs_root(WHEEL, SOMEBODY, beside=public)


def test_missing_wheel_is_named(public: Path) -> None:
    absent = Wheel(distribution="no-such-wheel", package="no_such_wheel", parts=())
    with pytest.raises(ServerProgramMissing, match="no-such-wheel"):
        programs_root(absent, None, beside=public)


def test_account_is_the_owner_of_the_directory_or_an_unprivileged_one(tmp_path: Path) -> None:
    account = account_for(tmp_path)
    if os.geteuid() != 0:
        assert account is None
        return
    assert account is not None
    assert account.uid != 0
    daemon = pwd.getpwnam("daemon")
    os.chown(tmp_path, daemon.pw_uid, daemon.pw_gid)
    owner = account_for(tmp_path)
    assert owner == Account(uid=daemon.pw_uid, gid=daemon.pw_gid)
    os.chown(tmp_path, SOMEBODY.uid, SOMEBODY.gid)  # a number that no account has
    assert account_for(tmp_path) == account
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", SOMEBODY.uid, SOMEBODY.gid)  # but data that exists keeps its owner
    assert account_for(tmp_path) == SOMEBODY


RUN = """
import os, sys
from pathlib import Path
from recovery.runtime.embedded import embedded_postgres, embedded_valkey
place = Path(sys.argv[1])
with embedded_postgres(place / "pg", throwaway=True), embedded_valkey(place / "vk", throwaway=True):
    assert (place / "pg/data").stat().st_uid == os.geteuid() != 0
    print("up")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test runs as an ordinary user already")
def test_both_servers_run_as_an_ordinary_user(tmp_path: Path, public: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    account = Account(uid=nobody.pw_uid, gid=nobody.pw_gid)
    python = Path(sys.executable).resolve()
    entries = [Path(entry) for entry in sys.path if entry and Path(entry).is_dir()]
    packages = [entry for entry in entries if entry.name == "site-packages" and account.may_reach(entry)]
    if not account.may_reach(python.parent) or not packages:
        pytest.skip("the account nobody can reach neither this Python nor its packages")
    shutil.copytree(Path(recovery.__file__).parent, public / "code/recovery")
    place = public / "place"
    place.mkdir()
    os.chown(place, account.uid, account.gid)
    for entry in (public / "code").rglob("*"):
        entry.chmod(0o755 if entry.is_dir() else 0o644)
    answer = subprocess.run(
        [python, "-c", RUN, place],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [public / "code", *packages]))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.stdout == "up\n", answer.stderr
