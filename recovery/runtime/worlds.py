"""Loads the worlds that demo, sandbox and backtest play in. Without it a world could not be chosen, shared or checked by name."""

from datetime import UTC, datetime
from pathlib import Path

from recovery.runtime.knowledge import ConfigInvalid, load_file
from recovery.simulation.world import Parameters

WORLDS_FOLDER = "worlds"
DEFAULT_WORLD = "mixed"

START_AT = datetime(2026, 9, 14, tzinfo=UTC)
"""A fixed first day, so that a seed always plays the same: 45 days from here cross a month's end, both switches back from summer
time and the Visa edition of 25 October."""


def load_world(folder: Path, wish: str) -> Parameters:
    """The world of that name in a configuration folder, or in the file that `wish` names.

    Raises ConfigInvalid with every mistake of the file, or naming the worlds there are.
    """
    known = world_names(folder)
    path = folder / WORLDS_FOLDER / f"{wish}.toml" if wish in known else Path(wish)
    if wish not in known and path.suffix != ".toml":
        raise ConfigInvalid([f"there is no world {wish!r}; there are {', '.join(known)}, or name a .toml file"])
    return load_file(path, Parameters)


def world_names(folder: Path) -> list[str]:
    """The worlds of a configuration folder, the default one first."""
    names = sorted(path.stem for path in (folder / WORLDS_FOLDER).glob("*.toml"))
    return sorted(names, key=lambda name: name != DEFAULT_WORLD)


def load_worlds(folder: Path) -> list[Parameters]:
    """All worlds of a configuration folder. Raises ConfigInvalid."""
    return [load_world(folder, name) for name in world_names(folder)]
