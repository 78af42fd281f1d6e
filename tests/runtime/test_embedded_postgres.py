"""PostgreSQL from its wheel: kept data, shared use, and nothing left after any way of dying."""

import contextlib
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from recovery.runtime.embedded import EmbeddedServerFailed, embedded_postgres
from recovery.runtime.embedded.errors import ServerDidNotStart, ServerDirectoryUnusable
from recovery.runtime.embedded.home import open_home
from recovery.runtime.embedded.locks import polls

SpawnOwner = Callable[[str, Path], tuple["subprocess.Popen[str]", str]]


def _ask(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        answer = connection.execute(query.encode())
        return answer.fetchall() if answer.description else []


def _gone(directory: Path) -> bool:
    home = open_home(directory)
    return any(home.server_is_gone() for _ in polls(20))


def _postmaster(directory: Path) -> psutil.Process:
    return psutil.Process(int((directory / "data/postmaster.pid").read_text().splitlines()[0]))


def test_data_is_kept_durably_over_a_restart(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path / "pg") as server:
        _ask(server.url, "CREATE TABLE kept AS SELECT 42 AS x")
    assert _gone(tmp_path / "pg")
    with embedded_postgres(tmp_path / "pg") as server:
        assert _ask(server.url, "SELECT x FROM kept") == [(42,)]
        wanted = {
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
            "listen_addresses": "127.0.0.1",
        }
        for name, value in wanted.items():
            assert _ask(server.url, f"SELECT current_setting('{name}')") == [(value,)], name


def test_throwaway_is_fast_and_two_run_at_once(tmp_path: Path) -> None:
    with (
        embedded_postgres(tmp_path / "one", throwaway=True) as one,
        embedded_postgres(tmp_path / "two", throwaway=True) as two,
    ):
        assert one.port != two.port
        assert _ask(one.url, "SHOW fsync") == [("off",)]
        assert _ask(two.url, "SELECT 1") == [(1,)]


def test_password_is_private_and_needed(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path / "pg", throwaway=True) as server:
        path = tmp_path / "pg/password"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        password = path.read_text()
        assert password in server.url
        assert password not in repr(server)
        seen = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
        assert any("postgres" in line for line in seen)
        assert not any(password in line for line in seen)
        with pytest.raises(psycopg.OperationalError, match="password"):
            _ask(server.url.replace(password, "wrong"), "SELECT 1")


def test_server_never_runs_as_root(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path / "pg", throwaway=True):
        process = _postmaster(tmp_path / "pg")
        expected = os.geteuid() or process.uids().real  # ourselves, or as root somebody else
        assert process.uids().real == expected != 0
        assert process.uids().effective == expected
        assert (tmp_path / "pg/data").stat().st_uid == expected
        assert process.gids().real != 0 or os.getegid() == 0 != os.geteuid()


def test_kill_of_the_owner_ends_the_server_and_keeps_the_data(tmp_path: Path, spawn_owner: SpawnOwner) -> None:
    owner, url = spawn_owner("embedded_postgres", tmp_path / "pg")
    _ask(url, "CREATE TABLE kept AS SELECT 1 AS x")
    tree = psutil.Process(owner.pid).children(recursive=True)
    assert len(tree) > 3  # the guard, the postmaster and its own
    owner.kill()
    owner.wait(10)
    assert _gone(tmp_path / "pg")
    _, alive = psutil.wait_procs(tree, timeout=10)
    assert alive == []
    with embedded_postgres(tmp_path / "pg") as server:
        assert _ask(server.url, "SELECT x FROM kept") == [(1,)]


def test_kill_of_the_guard_ends_the_server(tmp_path: Path, spawn_owner: SpawnOwner) -> None:
    owner, _ = spawn_owner("embedded_postgres", tmp_path / "pg")
    guard = _postmaster(tmp_path / "pg").parent()
    assert guard is not None
    guard.kill()
    assert _gone(tmp_path / "pg")
    owner.kill()
    owner.wait(10)


def test_others_keep_a_server_whose_starter_died(tmp_path: Path, spawn_owner: SpawnOwner) -> None:
    owner, url = spawn_owner("embedded_postgres", tmp_path / "pg")
    with embedded_postgres(tmp_path / "pg") as server:
        assert server.url == url
        owner.kill()
        owner.wait(10)
        for _ in polls(0.5):  # several turns of the guard
            assert _ask(url, "SELECT 1") == [(1,)]
    assert _gone(tmp_path / "pg")


def test_start_after_a_crash_with_a_pid_that_is_now_somebody_else(tmp_path: Path, spawn_owner: SpawnOwner) -> None:
    owner, url = spawn_owner("embedded_postgres", tmp_path / "pg")
    _ask(url, "CREATE TABLE kept AS SELECT 1 AS x")
    postmaster = _postmaster(tmp_path / "pg")
    account = postmaster.uids().real
    guard = postmaster.parent()
    assert guard is not None
    # The postmaster first, and without a chance to tidy up.
    for process in [postmaster, guard, psutil.Process(owner.pid), *postmaster.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    owner.wait(10)
    assert _gone(tmp_path / "pg")
    stranger = subprocess.Popen(["sleep", "60"], user=account if os.geteuid() == 0 else None)
    try:
        pid_file = tmp_path / "pg/data/postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        with embedded_postgres(tmp_path / "pg") as server:
            assert _ask(server.url, "SELECT x FROM kept") == [(1,)]
    finally:
        stranger.kill()
        stranger.wait()


def test_half_made_cluster_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "pg/unfinished-0/base").mkdir(parents=True)
    with embedded_postgres(tmp_path / "pg", throwaway=True) as server:
        assert _ask(server.url, "SELECT 1") == [(1,)]
    assert list((tmp_path / "pg").glob("unfinished-*")) == []


def test_failures_say_what_to_do(tmp_path: Path) -> None:
    place = tmp_path / "pg"
    with embedded_postgres(place, throwaway=True):
        pass
    configuration = place / "data/postgresql.conf"
    before = configuration.read_text()
    configuration.write_text(before + "\nno_such_setting = 1\n")
    with pytest.raises(ServerDidNotStart, match="no_such_setting"), embedded_postgres(place):
        pass
    configuration.write_text(before)
    (place / "data/PG_VERSION").write_text("9\n")
    with pytest.raises(ServerDirectoryUnusable, match="made by PostgreSQL 9"), embedded_postgres(place):
        pass
    (place / "password").unlink()
    with pytest.raises(ServerDirectoryUnusable, match="put it back"), embedded_postgres(place):
        pass
    shutil.rmtree(place)
    place.write_text("a file")
    with pytest.raises(EmbeddedServerFailed, match="RECOVERY_DATA_DIR"), embedded_postgres(place):
        pass
