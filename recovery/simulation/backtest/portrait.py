"""What a world is like: when a try succeeds, and why payments fail. Without it a world would be a list of numbers nobody can judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from recovery.simulation.backtest.oracle import approved_alone, first_approval
from recovery.simulation.world.build import World
from recovery.simulation.world.parameters import Cause
from recovery.simulation.world.people import Person

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DAYS = 21
_MIDDAY = 11
_SEEN_DAYS = range(2, 16)
"""Days after the failure over which an hour's success is averaged, each person on another: after outages, before most give up."""
_COLOUR, _LIGHT = "#0f62a8", "#c9d3dc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """Shares 0..1: of one silent try by local hour and by day after the failure; and by cause its share and what silence can win."""

    by_hour: Sequence[float]
    by_day: Sequence[float]
    causes: Mapping[Cause, tuple[float, float]]


def portray(world: World) -> Portrait:
    """Ask the issuers of a world when they would approve the card on file, each time as if nobody had asked before."""
    people = world.people
    hours = [
        _share(
            world,
            [
                (person, _local(person, _SEEN_DAYS[(n + hour) % len(_SEEN_DAYS)], hour))
                for n, person in enumerate(people)
            ],
        )
        for hour in range(24)
    ]
    days = [_share(world, [(person, _local(person, day, _MIDDAY)) for person in people]) for day in range(1, DAYS + 1)]
    causes = {}
    for cause in Cause:
        mine = [person for person in people if person.trouble.cause is cause]
        won = sum(first_approval(world, person) is not None for person in mine)
        causes[cause] = (len(mine) / len(people), won / len(people))
    return Portrait(by_hour=hours, by_day=days, causes=causes)


def _local(person: Person, day: int, hour: int) -> datetime:
    local = (person.fails_at + timedelta(days=day)).astimezone(ZoneInfo(person.zone))
    return local.replace(hour=hour, minute=30).astimezone(person.fails_at.tzinfo)


def _share(world: World, asked: Sequence[tuple[Person, datetime]]) -> float:
    return sum(_approved(world, person, at) for person, at in asked) / len(asked)


def _approved(world: World, person: Person, at: datetime) -> bool:
    trouble = person.trouble
    updated = trouble.renewed is not None and trouble.updated_at is not None and trouble.updated_at <= at
    face = trouble.renewed if updated and trouble.renewed is not None else person.card
    return approved_alone(world, person, face, at)


def draw_portrait(portrait: Portrait, path: Path) -> None:
    """Write the three pictures of one world as one SVG."""
    # Imported when something is drawn: it takes longer than everything else here together.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.7), layout="constrained")
    hour, day, cause = figure.subplots(1, 3)
    _bars(hour, [100 * share for share in portrait.by_hour], first=0, title="one try by local hour, % approved")
    _bars(day, [100 * share for share in portrait.by_day], first=1, title="by day after the failure, % approved")
    names = sorted(portrait.causes, key=lambda one: portrait.causes[one][0])
    labels = [name.value for name in names]
    cause.barh(labels, [100 * portrait.causes[name][0] for name in names], color=_LIGHT, label="of all failures")
    cause.barh(labels, [100 * portrait.causes[name][1] for name in names], color=_COLOUR, label="a silent try can win")
    cause.set_title("by real cause, % of failures", loc="left", fontsize=9)
    cause.legend(fontsize=7, frameon=False, loc="lower right")
    cause.tick_params(labelsize=7)
    with mpl.rc_context({"svg.hashsalt": "recovery", "svg.fonttype": "none"}):  # the same world, the same bytes
        figure.savefig(path, metadata={"Date": None})


def _bars(axes: Axes, values: Sequence[float], *, first: int, title: str) -> None:
    axes.bar(range(first, first + len(values)), values, color=_COLOUR)
    axes.set_ylim(0, 100)
    axes.set_title(title, loc="left", fontsize=9)
    axes.tick_params(labelsize=7)
