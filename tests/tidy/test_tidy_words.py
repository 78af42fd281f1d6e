"""Words that say something, and none of those that put things off."""

import ast
import re
from itertools import pairwise

from tidy_support import GENERATED, PROJECT, modules, product

SAYS_NOTHING = {"Manager", "Service", "Helper", "Base", "Data", "Info", "Util", "Utils"}
ABBREVIATES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "managers", "services", "info", "data"}
# Taken from other people's libraries: the names of their things, under which readers know them.
THEIRS = {"BaseSettings"}
PUT_OFF = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
ONE_MACHINE = re.compile(r"(?<![\w.$}/])/(home|root|Users|work|mnt)/\w")
TEXTS = (
    "*.py",
    "*.toml",
    "*.md",
    "*.yml",
    "*.j2",
    "*.html",
    "*.css",
    "Makefile",
    "Dockerfile",
    "Procfile",
    ".env.example",
)
# Whoever catches everything says why here and leaves a trace: a log line, a row, or the exception itself.
CATCHES_ALL = {
    "recovery/dunning/mailer.py": "whatever goes wrong before the content is told as a letter that did not leave, or may have after it",
    "recovery/dunning/send.py": "what went wrong while a letter was written is told as one that was not sent",
    "recovery/engine/claims.py": "one step's failure is recorded on its row; the batch goes on",
    "recovery/engine/sweep.py": "what cannot be taken back is set aside with the reason; the others are taken back",
    "recovery/intake/events.py": "one event's failure is recorded on its row; the batch goes on",
    "recovery/intake/grouping.py": "whoever waits for a group's commit is told, then it is raised",
    "recovery/runtime/cli/__init__.py": "tells what can be explained in one line, raises the rest",
    "recovery/runtime/web/doorbell.py": "a broker that is away is logged and never makes the gateway wait",
}


def _words(name: str) -> list[str]:
    """The words of a CamelCase name."""
    starts = [at for at, letter in enumerate(name) if letter.isupper()]
    return [name[begin:end] for begin, end in pairwise([*starts, len(name)])]


def test_every_module_says_what_it_prevents() -> None:
    silent = [module.name for module in product() if module.text.strip() and not ast.get_docstring(module.tree)]
    assert silent == []


def test_every_public_function_and_class_says_what_it_is_for() -> None:
    silent = [
        f"{module.at(node)} {node.name}"
        for module in product()
        if GENERATED not in module.name
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_no_class_is_named_after_nothing() -> None:
    named = [
        f"{module.at(node)} {node.name}"
        for module in modules("recovery", "tests", "benchmarks", "tools")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and SAYS_NOTHING & set(_words(node.name)) and node.name not in THEIRS
    ]
    assert named == []


def test_no_module_or_folder_is_a_drawer_for_everything() -> None:
    paths = [path.relative_to(PROJECT / "recovery") for path in (PROJECT / "recovery").rglob("*.py")]
    assert [str(path) for path in paths if ABBREVIATES & {part.removesuffix(".py") for part in path.parts}] == []


def test_nothing_is_put_off_and_nothing_needs_one_machine() -> None:
    folders = ("recovery", "tests", "config", "docs", "benchmarks", "tools", ".ci")
    paths = [path for folder in folders for kind in TEXTS for path in (PROJECT / folder).rglob(kind)]
    paths += [path for kind in TEXTS for path in PROJECT.glob(kind)] + [PROJECT / ".ci" / "run"]
    assert len(paths) > 200
    found = [
        f"{path.relative_to(PROJECT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if PUT_OFF.search(line) or ONE_MACHINE.search(line)
    ]
    assert found == []


def _catches_all(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException")) for kind in kinds
    )


def test_whoever_catches_everything_is_known_and_leaves_a_trace() -> None:
    found = [
        (module, node)
        for module in product()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and _catches_all(node)
    ]
    assert {module.name for module, _ in found} == set(CATCHES_ALL), "the list and the code differ"
    for module, handler in found:
        within = list(ast.walk(handler))
        named = any(isinstance(node, ast.Name) and node.id == handler.name for node in within)
        assert any(isinstance(node, ast.Raise) for node in within) or named, (
            f"{module.at(handler)} swallows what it caught"
        )


def test_no_test_mocks_our_own_code() -> None:
    mocking = [
        module.at(node)
        for module in modules("recovery", "tests", "benchmarks")
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unittest"))
        or (isinstance(node, ast.Import) and any(alias.name.startswith("unittest") for alias in node.names))
    ]
    assert mocking == []
