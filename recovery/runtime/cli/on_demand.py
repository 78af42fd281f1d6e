"""Imports a command's module when the command is used. Without it every command would wait for all libraries.

Charts, migrations, the gateway's client and the demo's servers together take two seconds to import. The page that lists all commands
says what each is for without them.
"""

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import typer
from typer.core import TyperGroup

COMMANDS: Final[Mapping[str, Mapping[str, str]]] = {
    "demo": {"demo": "Play failing customers through the real processes."},
    "sandbox": {"sandbox": "Run the sandbox."},
    "doctor": {"doctor": "Check every setting, file and connection."},
    "operate": {
        "migrate": "Bring the database's schema to this program's version.",
        "web": "Run the web process: webhooks, health, metrics and the pages.",
        "worker": "Run a worker process: works through events and due steps.",
        "beat": "Run the beat process, which rings the workers' bell.",
        "config": "The policy and knowledge files.",
        "events": "The gateway's events that were stored.",
        "steps": "The orders that workers perform.",
        "charging": "The switch that stops all charging.",
    },
    "upkeep": {
        "backfill": "Take in what never arrived, from the gateway's own lists.",
        "forget": "Erase what points to a customer; the books stay.",
    },
    "cases": {
        "case": "Look at cases and decide about them.",
        "why": "Tell a case's story: what happened, what was decided, and why.",
    },
    "cards": {"card": "Look at a customer's cards."},
    "report": {"report": "What failed, what came back, and what the engine brought back."},
    "closing": {
        "reconcile": "Compare the ledger with the gateway's charges and refunds.",
        "close-month": "Compare a month with the gateway and keep its figures.",
    },
    "users": {"user": "Who may read the pages, with RECOVERY_PAGES=login."},
    "importing": {"import": "Bring in what a gateway knows from before."},
    "plan": {"plan": "Show the whole silent schedule of one failed payment."},
    "backtest": {"backtest": "Compare ladders, the policy and an oracle on the same cases."},
    "worlds": {"worlds": "The worlds that demo, sandbox and backtest play in."},
    "rules": {"rules": "The networks' rules.", "policy": "The policy that cases are pinned on."},
    "asking": {
        "email": "The emails to customers.",
        "audit": "Proofs from the journal.",
        "merchant": "The messages to the merchant's app.",
    },
}
"""Module in this package → the commands that its `add_to` adds, in the order of the help page, and what that page says of each."""


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

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - click's own types are private to typer
        """The list of commands, from the words above."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([each for commands in COMMANDS.values() for each in commands.items()])


def _nothing() -> None:
    """A group's callback that does nothing."""
