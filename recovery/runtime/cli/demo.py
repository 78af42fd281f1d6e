"""``recovery demo``: watch 45 days of failing customers being won back, on the processes of production."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from recovery.runtime.demo.closing import closing_report
from recovery.runtime.demo.comparison import Replay, same_seed
from recovery.runtime.demo.play import Demo, DemoOptions, demo_stack
from recovery.runtime.demo.view import watching
from recovery.runtime.knowledge import ConfigInvalid, load_knowledge, rules_of
from recovery.runtime.processes import unwinding_signals
from recovery.runtime.settings import default_config_dir
from recovery.runtime.worlds import DEFAULT_WORLD, load_world
from recovery.simulation.sandbox.faults import PAY_KINDS, WEBHOOK_KINDS
from recovery.simulation.world import Parameters

FAULTS = PAY_KINDS + WEBHOOK_KINDS
CHECK_SECONDS = 1.0
"""How often a demo that stays up looks whether its processes live."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    *,
    days: Annotated[int, typer.Option(min=1, max=365, help="Days to play.")] = 45,
    customers: Annotated[int, typer.Option(min=1, max=5000, help="Customers whose payment fails.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="The same seed plays the same world.")] = 1,
    world: Annotated[str, typer.Option(help="A world of the configuration's folder `worlds`, or a file.")] = (
        DEFAULT_WORLD
    ),
    leave: Annotated[bool, typer.Option("--exit", help="Leave at the end instead of staying up.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the outcome as JSON, with all checks.")
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PROBABILITY", help="Break things, for example --faults charge_then_hang=0.02."),
    ] = None,
) -> None:
    """Play failing customers through the real processes against a sandbox, and show what was won back.

    Needs nothing but Python: PostgreSQL, a Redis-protocol server, a mail catcher and the sandbox start and end with it.
    """
    chosen = Path(world).absolute() if world.endswith(".toml") else world
    options = DemoOptions(
        days=days, customers=customers, seed=seed, world=str(chosen), faults=_probabilities(faults or [])
    )
    knowledge, parameters = load_knowledge(default_config_dir()), _world(options.world)
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise typer.BadParameter(f"the folder of {json_file} does not exist", param_hint="--json")
    console = Console()
    began = time.monotonic()
    with unwinding_signals(), demo_stack(options, note=lambda text: console.print(f"{text} …", style="dim")) as running:
        console.print(f"playing {days} days of {customers} customers (seed {seed}, world {parameters.name})")
        with watching(running.database, console) as watch:
            outcome = running.play(options, watch)
        closing_report(console, outcome, seconds=time.monotonic() - began)
        same_seed(console, outcome, running.database, play=Replay(options, parameters, rules_of(knowledge)))
        console.print(f"the report: {running.web_url}/report", soft_wrap=True)
        if json_file is not None:
            json_file.write_text(json.dumps(outcome, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            console.print(f"outcome written to {json_file}")
        if leave:
            raise typer.Exit(0 if outcome["ok"] else 1)
        _stay(console, running)


def _stay(console: Console, running: Demo) -> None:
    """Stay up for looking around, until Ctrl-C."""
    console.print(f"look around: {running.web_url}/report   (Ctrl-C ends the demo)", style="bold")
    try:
        while True:
            time.sleep(CHECK_SECONDS)
            running.group.check()
    except KeyboardInterrupt:
        console.print("ending the demo")


def _world(wish: str) -> Parameters:
    try:
        return load_world(default_config_dir(), wish)
    except ConfigInvalid as error:
        raise typer.BadParameter(str(error), param_hint="--world") from error


def _probabilities(wishes: list[str]) -> dict[str, float]:
    found = {}
    for wish in wishes:
        name, _, number = wish.partition("=")
        try:
            probability = float(number)
        except ValueError as error:
            raise typer.BadParameter(f"{wish!r} is not NAME=PROBABILITY", param_hint="--faults") from error
        if name not in FAULTS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(FAULTS)}", param_hint="--faults")
        if not 0 <= probability <= 1:
            raise typer.BadParameter(f"{wish!r}: a probability lies between 0 and 1", param_hint="--faults")
        found[name] = probability
    return found
