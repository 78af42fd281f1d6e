"""``recovery backtest``: what a policy would have won, on thousands of cases, without servers."""

import json
import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from recovery.cases.rules import Rules
from recovery.runtime.cli.backtest_page import page
from recovery.runtime.cli.backtest_view import cause_table, figures_table, sources
from recovery.runtime.cli.output import console
from recovery.runtime.knowledge import Knowledge, load_knowledge, rules_of, version_of
from recovery.runtime.settings import load_settings
from recovery.runtime.worlds import DEFAULT_WORLD, START_AT, load_world, world_names
from recovery.simulation.backtest.compare import NOTHING, ORACLE, OURS
from recovery.simulation.backtest.many import Plan
from recovery.simulation.backtest.many import backtest as played
from recovery.simulation.backtest.picture import draw
from recovery.simulation.backtest.tally import Tally, as_json
from recovery.simulation.world import Parameters


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backtest)


def backtest(  # noqa: PLR0913 - one for each option
    *,
    world: Annotated[
        str, typer.Option(help="A world of the configuration's folder `worlds`, or a file.")
    ] = DEFAULT_WORLD,
    all_worlds: Annotated[bool, typer.Option("--all-worlds", help="Every world of the configuration.")] = False,
    cases: Annotated[int, typer.Option(min=10, max=1_000_000, help="Cases in each world.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed plays the same cases.")] = 1,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A policy to try beside the configured one.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures as JSON.")] = None,
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw them: an .svg or .png file.")] = None,
    page_file: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Write a page in Markdown with all tables.")
    ] = None,
    processes: Annotated[int, typer.Option(min=0, help="Processes; 0: as many as there are cores.")] = 0,
) -> None:
    """Compare, on the same cases: nothing at all, fixed ladders, Stripe's rhythm, the policy, and an oracle that knows the truth.

    Needs neither servers nor a database: every decision is made by the code that decides in production.
    """
    if picture is not None and picture.suffix not in (".svg", ".png"):
        raise typer.BadParameter(f"{picture}: a picture is an .svg or a .png", param_hint="--picture")
    for option, file in (("--json", json_file), ("--page", page_file), ("--picture", picture)):
        if file is not None and not file.absolute().parent.is_dir():
            raise typer.BadParameter(f"the folder of {file} does not exist", param_hint=option)
    folder = load_settings().config_dir
    knowledge = load_knowledge(folder)
    policies = _policies(folder, knowledge, policy)
    worlds = [load_world(folder, name) for name in (world_names(folder) if all_worlds else [world])]
    results: dict[str, dict[str, Tally]] = {}
    out = console()
    for parameters in worlds:
        began = time.monotonic()
        plan = Plan(parameters=parameters, seed=seed, cases=cases, start_at=START_AT, policies=policies)
        results[parameters.name] = _run(plan, processes or os.cpu_count() or 1)
        _show(out, parameters, results[parameters.name], seconds=time.monotonic() - began)
    out.print(sources(), style="dim")
    if json_file is not None:
        content = {"seed": seed, "cases": cases, "worlds": {name: _json(found) for name, found in results.items()}}
        json_file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        out.print(f"figures written to {json_file}")
    if page_file is not None:
        version = version_of(knowledge.policy)
        page_file.write_text(page(results, cases=cases, seed=seed, version=version), encoding="utf-8")
        out.print(f"page written to {page_file}")
    if picture is not None:
        draw(results, picture)
        out.print(f"picture written to {picture}")


def _policies(folder: Path, knowledge: Knowledge, file: Path | None) -> dict[str, Rules]:
    found = {OURS: rules_of(knowledge)}
    if file is not None:
        tried = load_knowledge(folder, policy_file=file).policy
        found[f"{tried.name} ({file.name})"] = rules_of(knowledge, policy=tried)
    return found


def _run(plan: Plan, processes: int) -> dict[str, Tally]:
    tallies: dict[str, Tally] = {}
    shown = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as progress:
        task = progress.add_task(f"world {plan.parameters.name}", total=plan.cases)
        for done, so_far in played(plan, processes=processes):
            tallies = so_far
            progress.update(task, completed=done)
    return tallies


def _show(out: Console, parameters: Parameters, tallies: dict[str, Tally], *, seconds: float) -> None:
    cases = tallies[NOTHING].cases
    out.print()
    out.print(f"World “{parameters.name}”. {parameters.summary}", style="bold")
    played = f"{cases} cases under each of {len(tallies)} strategies in {seconds:.1f} s"
    out.print(
        f"{played}: {cases * len(tallies) / seconds:.0f} a second; recovered means paid within 45 days", style="dim"
    )
    out.print(figures_table(tallies))
    out.print()
    out.print(cause_table(tallies))


def _json(tallies: dict[str, Tally]) -> dict[str, object]:
    nothing, oracle = tallies[NOTHING], tallies[ORACLE]
    return {name: as_json(tally, nothing=nothing, oracle=oracle) for name, tally in tallies.items()}
