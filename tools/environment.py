"""Makes a virtual environment hold exactly the pinned packages. Without it make would install at every call, or never.

Standard library only: it runs before anything is installed. It works in the current directory, the checkout, by
relative paths: the checkout's own path may contain anything.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PINS = Path("constraints.txt")
SOURCES = (Path("pyproject.toml"), PINS)
# What builds the project itself, in place; pinned like the rest, so no second, unpinned environment is made for building.
BUILDERS = ("hatchling", "editables")
QUIET = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-warn-script-location")
# pip compiles on one core; ``compile_all`` does it on all of them.
LATER = "--no-compile"
# The broker's client needs it on early releases of Python 3.11 only; the machine that renews the pins may be newer.
ON_SOME_PYTHONS = {"async-timeout": "5.0.1"}
# Enough of pip's words to see the cause, not the whole download log.
FAILURE_CHARACTERS = 3000
INTERRUPTED = 130


class SetupFailed(RuntimeError):
    """The environment could not be made; the message says what to do."""


def say(line: str) -> None:
    """One line of progress, at once."""
    sys.stderr.write(f"setup: {line}\n")
    sys.stderr.flush()


def fingerprint() -> str:
    """What an environment is made from: these files, this place (its scripts name it) and this Python."""
    digest = hashlib.sha256(repr((os.getcwd(), sys.version, os.path.realpath(sys.base_prefix))).encode())
    for source in SOURCES:
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def noted(folder: Path) -> dict[str, Any]:
    """What the environment says it was made from; nothing if there is none or it does not run."""
    try:
        note: dict[str, Any] = json.loads((folder / "installed.json").read_text(encoding="ascii"))
        run(folder / "bin" / "python", "-c", "pass", hint="")
    except (OSError, ValueError, SetupFailed):
        return {}
    return note


def run(program: Path | str, *arguments: str, hint: str) -> str:
    """Run quietly. Raises SetupFailed with the program's own words and the hint."""
    command = [str(program), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603 - fixed commands
    if done.returncode:
        raise SetupFailed(f"{' '.join(command)} failed:\n{done.stdout.strip()[-FAILURE_CHARACTERS:]}\n{hint}")
    return done.stdout


def create(folder: Path) -> None:
    """Make an empty environment in place of whatever was there. Raises PermissionError."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder} belongs to another user")
    # The base: whoever has activated the environment that is made anew would otherwise remove the running Python.
    python = getattr(sys, "_base_executable", None) or sys.executable
    hint = "On Debian and Ubuntu, Python's own environments come with the package python3-venv."
    run(python, "-m", "venv", "--clear", str(folder), hint=hint)


def install(folder: Path, extras: list[str], *, pinned: bool) -> None:
    """Install the project in place (edits count at once) and what it needs."""
    python = folder / "bin" / "python"
    pip = ("-m", "pip", "install", LATER, *QUIET, *(("--constraint", str(PINS)) if pinned else ()))
    hint = "Can this machine reach its package index?"
    run(python, *pip, *BUILDERS, hint=hint)
    target = f".[{','.join(extras)}]" if extras else "."
    run(python, *pip, "--no-build-isolation", "--editable", target, hint=hint)


def compile_all(folder: Path) -> None:
    """Compile packages and project once. Where Python may not write bytecode, each process would compile all it imports, every time.

    What cannot be compiled, such as another Python's examples, is left: importing it would tell.
    """
    python, packages = str(folder / "bin" / "python"), str(folder / "lib")
    command = [python, "-m", "compileall", "-qq", "-j", "0", packages, "recovery"]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # noqa: S603 - a fixed command


def bring_up_to_date(folder: Path, extras: set[str]) -> None:
    """Install what is missing, if anything; callers at the same time wait for the first."""
    if _lacks_nothing(folder, extras):
        return
    place = os.open(".", os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        if _lacks_nothing(folder, extras):
            return
        say(f"Python {sys.version.split()[0]} and the pinned packages into {folder} (first time: a minute or two)")
        if noted(folder).get("fingerprint") != fingerprint():
            create(folder)
        install(folder, sorted(extras), pinned=True)
        compile_all(folder)
        note = {"fingerprint": fingerprint(), "extras": sorted(extras)}
        (folder / "installed.json").write_text(json.dumps(note), encoding="ascii")
        say("done")
    finally:
        os.close(place)


def _lacks_nothing(folder: Path, extras: set[str]) -> bool:
    note = noted(folder)
    return note.get("fingerprint") == fingerprint() and extras <= set(note["extras"])


def renew_pins() -> None:
    """Write the newest versions that pyproject.toml admits. The tests say whether they are good."""
    head = [line for line in PINS.read_text(encoding="ascii").splitlines() if line.startswith("#")]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        say("the newest packages that pyproject.toml admits")
        create(folder)
        install(folder, ["dev"], pinned=False)
        listing = run(folder / "bin" / "python", "-m", "pip", "list", "--format=json", "--exclude-editable", hint="")
    pins = ON_SOME_PYTHONS | {package["name"]: package["version"] for package in json.loads(listing)}
    lines = [f"{name}=={pins[name]}" for name in sorted(pins, key=str.lower) if name not in ("pip", "setuptools")]
    PINS.write_text("\n".join([*head, *lines, ""]), encoding="ascii")
    say(f"{PINS} written; run make test")


def main(arguments: list[str]) -> int:
    """Carry out one call; returns the exit code."""
    try:
        if arguments == ["--renew-pins"]:
            renew_pins()
        else:
            bring_up_to_date(Path(arguments[0]), set(arguments[1:]))
    except SetupFailed as failure:
        say(str(failure))
        return 1
    except PermissionError as refused:
        say(f"{refused}; choose a place that this user may write to: make VENV=/a/folder/of/yours")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
