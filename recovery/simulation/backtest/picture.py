"""Draws a comparison as one picture. Without it twenty rows of shares would have to be compared in the reader's head."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from recovery.simulation.backtest.compare import NOTHING, ORACLE
from recovery.simulation.backtest.policies import LADDERS, STRIPE_RHYTHM
from recovery.simulation.backtest.tally import Tally

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BASELINES = {NOTHING, ORACLE, STRIPE_RHYTHM.name, *(ladder.name for ladder in LADDERS)}
# Blue for policies, grey for what they are compared with: readable in grey print and for the colour-blind.
_POLICY, _BASELINE, _BEST = "#0f62a8", "#9aa5b1", "#3b4754"
_INCHES_PER_WORLD = 3.4


def draw(results: Mapping[str, Mapping[str, Tally]], path: Path) -> None:
    """Write the figures of one or more worlds to an .svg or .png file. Raises ValueError for another kind of file."""
    if path.suffix not in (".svg", ".png"):
        raise ValueError(f"{path}: a picture is an .svg or a .png")
    # Imported when something is drawn: it takes longer than everything else here together.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, _INCHES_PER_WORLD * len(results) + 0.4), layout="constrained")
    grid = figure.subplots(len(results), 2, squeeze=False)
    for (world, tallies), (left, right) in zip(results.items(), grid, strict=True):
        _shares(left, world, tallies)
        _causes(right, tallies)
    with mpl.rc_context({"svg.hashsalt": "recovery", "svg.fonttype": "none"}):  # the same run, the same bytes
        figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)


def _shares(axes: Axes, world: str, tallies: Mapping[str, Tally]) -> None:
    names = list(tallies)[::-1]
    shares = [tallies[name].by_count for name in names]
    values = [100 * share.value for share in shares]
    errors = [
        [100 * (share.value - share.low) for share in shares],
        [100 * (share.high - share.value) for share in shares],
    ]
    axes.barh(names, values, xerr=errors, color=[_colour(name) for name in names], error_kw={"lw": 1})
    for row, value in enumerate(values):
        axes.text(1, row, f"{value:.1f}", va="center", fontsize=8, color="white" if value > 12 else "black")
    axes.set_xlim(0, 100)
    axes.set_title(f"World “{world}”: recovered cases, % (95 % interval)", loc="left", fontsize=10)
    axes.tick_params(labelsize=8)


def _causes(axes: Axes, tallies: Mapping[str, Tally]) -> None:
    oracle = tallies[ORACLE]
    causes = sorted(oracle.causes, key=lambda cause: -oracle.causes[cause][0])
    shown = [STRIPE_RHYTHM.name, *(name for name in tallies if name not in _BASELINES), ORACLE]
    width = 0.8 / len(shown)
    for number, name in enumerate(shown):
        places = [place - 0.4 + width * (number + 0.5) for place in range(len(causes))]
        heights = [100 * (tallies[name].share_of(cause) or 0.0) for cause in causes]
        axes.bar(places, heights, width, label=name, color=_colour(name))
    axes.set_xticks(range(len(causes)), [cause.value for cause in causes], rotation=30, ha="right", fontsize=8)
    axes.set_ylim(0, 100)
    axes.set_title("by the real cause, %", loc="left", fontsize=10)
    axes.legend(fontsize=7, frameon=False, ncols=len(shown), loc="upper right")
    axes.tick_params(labelsize=8)


def _colour(name: str) -> str:
    if name == ORACLE:
        return _BEST
    return _BASELINE if name in _BASELINES else _POLICY
