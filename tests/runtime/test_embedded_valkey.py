"""Valkey from its wheel: the same rules of life as the database."""

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from recovery.runtime.embedded import embedded_valkey
from recovery.runtime.embedded.home import open_home
from recovery.runtime.embedded.locks import polls

SpawnOwner = Callable[[str, Path], tuple["subprocess.Popen[str]", str]]


def test_messages_are_kept_over_a_restart(tmp_path: Path) -> None:
    with embedded_valkey(tmp_path / "vk") as server, redis.Redis.from_url(server.url) as client:
        client.lpush("queue", "message")
    with embedded_valkey(tmp_path / "vk") as server, redis.Redis.from_url(server.url) as client:
        assert client.lrange("queue", 0, -1) == [b"message"]


def test_throwaway_keeps_nothing(tmp_path: Path) -> None:
    with embedded_valkey(tmp_path / "vk", throwaway=True) as server, redis.Redis.from_url(server.url) as client:
        client.set("x", "1")
    with embedded_valkey(tmp_path / "vk", throwaway=True) as server, redis.Redis.from_url(server.url) as client:
        assert client.dbsize() == 0


def test_password_is_needed_and_private(tmp_path: Path) -> None:
    with embedded_valkey(tmp_path / "vk", throwaway=True) as server:
        assert stat.S_IMODE((tmp_path / "vk/data/valkey.conf").stat().st_mode) == 0o600
        with (
            redis.Redis(host="127.0.0.1", port=server.port, retry=Retry(NoBackoff(), 0)) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
        process = next(p for p in psutil.Process().children(recursive=True) if p.name().startswith("valkey-server"))
        assert process.uids().real != 0
        assert (tmp_path / "vk/password").read_text() not in " ".join(process.cmdline())


def test_shared_until_the_last_user_died(tmp_path: Path, spawn_owner: SpawnOwner) -> None:
    owner, url = spawn_owner("embedded_valkey", tmp_path / "vk")
    other, other_url = spawn_owner("embedded_valkey", tmp_path / "vk")
    assert other_url == url
    owner.kill()
    owner.wait(10)
    with embedded_valkey(tmp_path / "vk") as server:
        assert server.url == url
    other.kill()
    other.wait(10)
    home = open_home(tmp_path / "vk")
    assert any(home.server_is_gone() for _ in polls(20))
