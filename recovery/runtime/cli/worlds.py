"""``recovery worlds``: which worlds there are, and the page that shows them. Without it a world's assumptions would stay in a file."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from recovery.runtime.cli.output import cells, console, grid, said
from recovery.runtime.settings import load_settings
from recovery.runtime.worlds import DEFAULT_WORLD, START_AT, load_worlds
from recovery.simulation.backtest.many import SPREAD_DAYS
from recovery.simulation.backtest.portrait import draw_portrait, portray
from recovery.simulation.world import Parameters, build_world

SAMPLE = 1500
"""People asked for a portrait: a share is then right to about two points."""

_HEAD = """# The worlds

<!-- written by `recovery worlds document`; change config/worlds/*.toml and run it again -->

Sandbox, demo and backtest play in seeded worlds of issuers and customers. One seed is one world: who fails, why, what each
issuer answers at each instant and how each customer reacts follow from it. The engine sees none of this, only what a gateway shows.

No public data set of card retries exists, so much in a world is assumed; the files in `config/worlds` say what has a source. That is
why there are several worlds which disagree about timing: a policy that wins in only one of them rests on that world's assumptions.

```sh
recovery demo --world hours
recovery backtest --world payday
recovery backtest --all-worlds --policy my-policy.toml
```

The pictures ask each issuer as if nobody had asked before: what a single try at that hour or on that day would bring, over all
causes; and, by cause, which failures some silent try within 21 days can win at all.
"""


def worlds_document(
    folder: Annotated[Path, typer.Argument(help="Where to write worlds.md and the pictures.")] = Path("docs"),
) -> None:
    """Write the page about the worlds, with a picture of each."""
    worlds = load_worlds(load_settings().config_dir)
    (folder / "worlds").mkdir(parents=True, exist_ok=True)
    parts = [_HEAD]
    for parameters in worlds:
        world = build_world(
            seed=1, customers=SAMPLE, days=SPREAD_DAYS, start_at=START_AT, parameters=_spread(parameters)
        )
        draw_portrait(portray(world), folder / "worlds" / f"{parameters.name}.svg")
        parts.append(_section(parameters))
    (folder / "worlds.md").write_text("\n".join(parts), encoding="utf-8")
    said(f"{len(worlds)} worlds written to {folder / 'worlds.md'}")


def worlds_list() -> None:
    """The worlds there are."""
    table = grid("Worlds", "name", "what it is like")
    for parameters in load_worlds(load_settings().config_dir):
        table.add_row(*cells(parameters.name, parameters.summary))
    console().print(table)


def add_to(app: typer.Typer) -> None:
    """Join the commands."""
    worlds = typer.Typer(help="The worlds that demo, sandbox and backtest play in.", no_args_is_help=True)
    worlds.command("list")(worlds_list)
    worlds.command("document")(worlds_document)
    app.add_typer(worlds, name="worlds")


def _spread(parameters: Parameters) -> Parameters:
    named = {each.name: getattr(parameters, each.name) for each in fields(parameters)}
    return Parameters(**named | {"failures_within_days": SPREAD_DAYS})


def _section(parameters: Parameters) -> str:
    lines = [
        f"## {parameters.name}",
        "",
        parameters.summary,
        "",
        f"![When and why tries succeed in the world {parameters.name}](worlds/{parameters.name}.svg)",
        "",
    ]
    if parameters.name == DEFAULT_WORLD:
        lines.append(f"All its values, with sources: [mixed.toml](../config/worlds/{parameters.name}.toml).")
    else:
        lines += ["| differs from mixed in | here | in mixed |", "| --- | --- | --- |"]
        lines += [f"| `{name}` | {_told(here)} | {_told(there)} |" for name, here, there in _differences(parameters)]
    return "\n".join([*lines, ""])


def _differences(parameters: Parameters) -> list[tuple[str, Any, Any]]:
    mixed = Parameters()
    pairs = [(each.name, getattr(parameters, each.name), getattr(mixed, each.name)) for each in fields(parameters)]
    return [(name, here, there) for name, here, there in pairs if here != there and name not in ("name", "summary")]


def _told(value: Any) -> str:  # noqa: ANN401 - a parameter of any kind
    if isinstance(value, dict):
        return ", ".join(f"{key.value} {share:g}" for key, share in value.items())
    if isinstance(value, tuple):
        return f"{value[0]:g}–{value[1]:g}"
    return f"{value:g}" if isinstance(value, float | int) else str(value)
