"""The project as the tidy tests read it: its files as text and as syntax trees. Without it each rule would find its own files."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
GENERATED = "recovery/storage/migrations/versions/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One Python file."""

    name: str
    text: str
    tree: ast.Module

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def at(self, node: ast.stmt | ast.excepthandler) -> str:
        """Where, for a person to click on."""
        return f"{self.name}:{node.lineno}"


def modules(*folders: str) -> tuple[Module, ...]:
    """All Python files below these folders of the project."""
    return tuple(module for folder in folders for module in _below(folder))


@cache
def _below(folder: str) -> tuple[Module, ...]:
    paths = sorted((PROJECT / folder).rglob("*.py"))
    texts = [(path.relative_to(PROJECT).as_posix(), path.read_text(encoding="utf-8")) for path in paths]
    return tuple(Module(name=name, text=text, tree=ast.parse(text)) for name, text in texts)


def product() -> tuple[Module, ...]:
    """The product's own modules."""
    found = modules("recovery")
    assert len(found) > 100, "the product was not found"
    return found


def read(name: str) -> str:
    """A file of the project as text."""
    return (PROJECT / name).read_text(encoding="utf-8")
