"""The command line. Without it every look at a case would need SQL, and every process a script of its own.

Exit codes: 0 done, 1 failure (one line on standard error says what to do), 2 wrong usage.
"""

import sys
from collections.abc import Sequence

import typer

from recovery.runtime.cli import cases, operate, report, rules, worlds
from recovery.runtime.cli.backtest import backtest
from recovery.runtime.cli.demo import demo
from recovery.runtime.cli.doctor import doctor
from recovery.runtime.cli.explain import explanation
from recovery.runtime.cli.output import told
from recovery.runtime.cli.plan import plan
from recovery.runtime.cli.sandbox import sandbox

app = typer.Typer(
    name="recovery",
    help="Wins back subscription payments that failed although the customer did not want to leave.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_DEBUG = {"on": False}


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback when a command fails."),
) -> None:
    _DEBUG["on"] = debug


cases.add_to(app)
report.add_to(app)
operate.add_to(app)
rules.add_to(app)
worlds.add_to(app)
for command in (doctor, sandbox, demo, backtest, plan):  # one function each; further single commands join this line
    app.command()(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process with its exit code."""
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="recovery")
    except Exception as error:
        reason = explanation(error)
        if reason is None or _DEBUG["on"]:
            raise
        told(f"recovery: {reason}")
        sys.exit(1)
