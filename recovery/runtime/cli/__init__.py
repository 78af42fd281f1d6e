"""The command line. Without it every look at a case would need SQL, and every process a script of its own.

Exit codes: 0 done, 1 failure (one line on standard error says what to do), 2 wrong usage.
"""

import gc
import sys
from collections.abc import Sequence

import typer

from recovery.runtime.cli.on_demand import CommandGroup

app = typer.Typer(
    name="recovery",
    cls=CommandGroup,
    help="Wins back subscription payments that failed although the customer did not want to leave.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_DEBUG = {"on": False}

COLLECT_AFTER = 50_000
"""Objects made until garbage is looked for; Python's own 700 spends a fifth of every start on going through what was just imported."""


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback when a command fails."),
) -> None:
    _DEBUG["on"] = debug


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process with its exit code."""
    gc.set_threshold(COLLECT_AFTER)
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="recovery")
    except Exception as error:
        # Only now: it knows the errors of every library we use.
        from recovery.runtime.cli.explain import explanation
        from recovery.runtime.cli.output import told

        reason = explanation(error)
        if reason is None or _DEBUG["on"]:
            raise
        told(f"recovery: {reason}")
        sys.exit(1)
