"""What the papers say is there, and what is there is in the papers."""

import importlib
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import typer
from pydantic_core import PydanticUndefined
from tidy_support import PROJECT, read

from recovery.gateways.stripe import KINDS
from recovery.runtime.cli import app
from recovery.runtime.cli.on_demand import COMMANDS
from recovery.runtime.doctor import CONFIRMATIONS
from recovery.runtime.settings import Settings

PAPERS = ("README.md", *(path.relative_to(PROJECT).as_posix() for path in sorted((PROJECT / "docs").rglob("*.md"))))
DECISIONS = sorted((PROJECT / "docs" / "decisions").glob("*.md"))


def _code_lines(paper: str) -> Iterator[str]:
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", read(paper), flags=re.MULTILINE | re.DOTALL)
    for block in blocks:
        yield from (line.split("  #")[0].strip() for line in block.splitlines())


def _commands() -> list[str]:
    inline = [code for paper in PAPERS for code in re.findall(r"`(recovery [a-z][^`\n]*)`", read(paper))]
    return sorted({*inline, *(line for paper in PAPERS for line in _code_lines(paper) if line.startswith("recovery "))})


def _no_such(words: list[str]) -> str | None:
    """What of a command line does not exist; the arguments themselves are the command's affair."""
    command: Any = typer.main.get_command(app)
    for word in words:
        if hasattr(command, "commands") and not word.startswith("-"):
            if word not in command.commands:
                return f"{command.name} has no command {word}"
            command = command.commands[word]
        elif word.startswith("-"):
            options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            if word.split("=")[0] not in options | {"--help"}:
                return f"{command.name} has no option {word}"
    return None


@pytest.mark.parametrize("line", _commands())
def test_every_command_in_the_papers_exists(line: str) -> None:
    assert _no_such(shlex.split(line)[1:]) is None


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert _no_such(["vanish"]) == "recovery has no command vanish"
    assert _no_such(["case", "list", "--colour"]) == "list has no option --colour"


def test_readme_shows_every_command() -> None:
    shown = " ".join(_commands())
    group: Any = typer.main.get_command(app)
    missing = [name for name in group.commands if f"recovery {name}" not in shown]
    assert missing == []


def test_each_command_is_found_in_the_module_that_adds_it() -> None:
    for module, names in COMMANDS.items():
        part = typer.Typer()
        importlib.import_module(f"recovery.runtime.cli.{module}").add_to(part)
        added = [each.name or each.callback.__name__ for each in part.registered_commands if each.callback]
        added += [str(each.name) for each in part.registered_groups]
        assert sorted(added) == sorted(names), module


def test_every_make_target_in_the_papers_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
    used = {
        name for paper in PAPERS for name in re.findall(r"\bmake ([a-z]+)\b(?=[` \n]*(?:$|`|[A-Z]+=|  #))", read(paper))
    }
    assert {"demo", "test"} <= used
    assert used <= targets


def test_readme_names_every_room_and_every_process() -> None:
    readme = read("README.md")
    rooms = {path.parent.name for path in (PROJECT / "recovery").glob("*/__init__.py")}
    assert [room for room in sorted(rooms) if f"`{room}`" not in readme] == []
    processes = [line.split(":")[0] for line in read("Procfile").splitlines()]
    assert {"web", "worker", "beat"} <= set(processes)
    assert [name for name in ("web", "worker", "beat") if f"`recovery {name}`" not in readme] == []


def test_readme_lists_exactly_the_events_that_are_kept() -> None:
    listed = re.search(r"<!-- events -->\s*```text\n(.*?)```", read("README.md"), flags=re.DOTALL)
    assert listed is not None
    assert set(listed[1].split()) == KINDS


def test_readme_asks_for_every_confirmation() -> None:
    assert [name for name in CONFIRMATIONS if f"`{name}`" not in read("README.md")] == []


def test_the_example_of_settings_is_complete_and_true() -> None:
    shown = dict(re.findall(r"^#(RECOVERY_[A-Z_]+)=(.*)$", read(".env.example"), flags=re.MULTILINE))
    fields = Settings.model_fields
    assert set(shown) == {f"RECOVERY_{name.upper()}" for name in fields}
    for name, field in fields.items():
        value = shown[f"RECOVERY_{name.upper()}"]
        if field.default in (None, (), PydanticUndefined):
            assert value == "", f"{name} has no default to show"
        else:
            default = getattr(field.default, "value", field.default)
            assert value in (str(default), str(default).removesuffix(".0")), f"{name}: the default is {default}"


def test_links_inside_the_project_lead_somewhere() -> None:
    dead = [
        f"{paper}: {target}"
        for paper in PAPERS
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", read(paper))
        if not (PROJECT / paper).parent.joinpath(target).exists()
    ]
    assert dead == []


def test_decisions_are_numbered_short_and_say_why() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    for number, path in enumerate(DECISIONS, start=1):
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. "), path.name
        assert all(f"**{part}.**" in text for part in ("Decided", "Why", "So", "Not taken")), path.name
        assert len(text.splitlines()) <= 40, f"{path.name} is no short record"


def test_the_changelog_keeps_its_form() -> None:
    text = read("CHANGELOG.md")
    headings = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - \d{4}-\d{2}-\d{2}", heading) for heading in headings[1:]]
    assert all(released), "a release is headed: [1.2.3] - 2026-01-31"
    versions = [tuple(map(int, match.groups())) for match in released if match]
    assert all(newer > older for newer, older in pairwise(versions)), "the newest comes first"
    parts = set(re.findall(r"^### (.*)$", text, flags=re.MULTILINE))
    assert parts <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
