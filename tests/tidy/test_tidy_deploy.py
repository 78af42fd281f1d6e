"""The files that put the project on a machine agree with each other and name no machine."""

import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tidy_support import PROJECT, read

# Under `make test` these would tell the tested make that it is a part of that one.
ALONE = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
PROCESSES = {"web", "worker", "beat"}
# Index addresses, local paths and the project itself have no business in a file that every machine installs from.
PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9._+!-]+")


def _compose() -> dict[str, Any]:
    yaml: Any = importlib.import_module("yaml")
    content: dict[str, Any] = yaml.safe_load(read("docker-compose.yml"))
    return content


def _pins() -> dict[str, str]:
    lines = [line for line in read("constraints.txt").splitlines() if not line.startswith("#")]
    assert [line for line in lines if not PIN.fullmatch(line)] == []
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def test_every_requirement_is_pinned_to_a_version_it_admits() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    pins = _pins()
    assert "recovery" not in pins
    for text in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), f"{text} and its pin"


def test_the_processes_are_the_same_everywhere() -> None:
    procfile = dict(line.split(": ", 1) for line in read("Procfile").splitlines())
    assert {name: command for name, command in procfile.items() if name != "release"} == {
        name: f"recovery {name}" for name in PROCESSES
    }
    assert procfile["release"] == "recovery migrate"
    services = _compose()["services"]
    assert {name for name, service in services.items() if "build" in service} == PROCESSES | {"migrate"}
    assert all(services[name]["command"] == [name] for name in (*PROCESSES, "migrate"))


def test_nothing_starts_before_what_it_needs() -> None:
    services = _compose()["services"]
    for name in PROCESSES:
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert all("healthcheck" in services[name] for name in ("postgres", "valkey"))


def test_what_must_outlive_a_restart_has_a_volume() -> None:
    content = _compose()
    for name in ("postgres", "valkey", "mail"):
        assert content["services"][name]["volumes"][0].split(":")[0] in content["volumes"]
    assert "--appendonly yes" in " ".join(content["services"]["valkey"]["command"])


def test_what_has_no_default_is_asked_for_and_no_secret_is_in_the_file() -> None:
    text = read("docker-compose.yml")
    for name in ("RECOVERY_STRIPE_SECRET_KEY", "RECOVERY_STRIPE_WEBHOOK_SECRETS", "POSTGRES_PASSWORD"):
        assert f"${{{name}:?" in text
    for file in ("docker-compose.yml", "Dockerfile", ".env.example", "Procfile"):
        assert not re.search(r"(sk|rk)_(live|test)_\w|whsec_\w", read(file)), file


def test_the_image_takes_in_only_what_it_is_built_from() -> None:
    ignored = read(".dockerignore").splitlines()
    taken = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert ".env" not in taken
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", read("Dockerfile"), flags=re.MULTILINE)
    assert {name.removeprefix("./") for line in copied for name in line.split()} == taken
    assert re.search(r"^USER (?!root)", read("Dockerfile"), flags=re.MULTILINE)


def test_make_refuses_an_old_python_in_words(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    command = ["make", "--no-print-directory", "-C", str(PROJECT), "setup", f"PYTHON={old}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ALONE)
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr


@pytest.mark.parametrize("target", ["demo", "test", "lint", "simulate"])
def test_make_works_from_any_directory(target: str, tmp_path: Path) -> None:
    command = ["make", "--dry-run", "-f", str(PROJECT / "Makefile"), target, f"PYTHON={sys.executable}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=ALONE)
    steps = [line for line in done.stdout.splitlines() if line.strip()]
    assert steps
    assert all(f'cd "$(dirname "{PROJECT}/Makefile")"' in line for line in steps)


def test_make_works_in_a_path_with_a_blank(tmp_path: Path) -> None:
    clone = tmp_path / "a clone"
    clone.mkdir()
    shutil.copy(PROJECT / "Makefile", clone)
    for words in (["-C", str(clone)], ["-f", str(clone / "Makefile")]):
        done = subprocess.run(
            ["make", *words, "help"], capture_output=True, text=True, check=False, cwd=tmp_path, env=ALONE
        )
        assert "make demo" in done.stdout, done.stderr
