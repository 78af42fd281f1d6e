"""Imports a command's module when the command is used. Without it every command would wait for all libraries.

Charts, migrations, the gateway's client and the demo's servers together take two seconds to import.
"""

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import typer
from typer.core import TyperGroup

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "demo": ("demo",),
    "sandbox": ("sandbox",),
    "doctor": ("doctor",),
    "operate": ("migrate", "web", "worker", "beat", "config", "events", "steps", "charging"),
    "upkeep": ("backfill", "forget"),
    "cases": ("case", "why"),
    "cards": ("card",),
    "report": ("report",),
    "closing": ("reconcile", "close-month"),
    "users": ("user",),
    "importing": ("import",),
    "plan": ("plan",),
    "backtest": ("backtest",),
    "worlds": ("worlds",),
    "rules": ("rules", "policy"),
    "asking": ("email", "audit", "merchant"),
}
"""Module in this package → the commands that its `add_to` adds, in the order of the help page."""


class OnDemand(Mapping[str, Any]):
    """The commands by name, each made from its module when first asked for."""

    def __init__(self) -> None:
        self._module_of = {name: module for module, names in COMMANDS.items() for name in names}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - click's own command type is private to typer
        module = self._module_of[name]
        if name not in self._made:
            part = typer.Typer(rich_markup_mode=None)
            part.callback()(_nothing)  # without a callback typer makes a single command the whole program
            importlib.import_module(f"recovery.runtime.cli.{module}").add_to(part)
            group: Any = typer.main.get_group(part)
            self._made.update(group.commands)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._module_of)

    def __len__(self) -> int:
        return len(self._module_of)


class CommandGroup(TyperGroup):
    """The program's own group, whose commands are imported on demand."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - handed through to typer
        super().__init__(**attributes)
        self.commands = OnDemand()  # type: ignore[assignment]  # nobody adds to it


def _nothing() -> None:
    """A group's callback that does nothing."""
