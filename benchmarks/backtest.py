"""How many cases a second one core plays, and how that compares with the fixed ladder played beside it in the same run.

Run: ``python benchmarks/backtest.py [cases]``. Absolute numbers depend on the machine and on who else uses it; the ratio repeats. Times
are processor time of this one process.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from recovery.runtime.knowledge import load_knowledge, rules_of
from recovery.runtime.worlds import START_AT, load_world, world_names
from recovery.simulation.backtest.compare import NOTHING, OURS, one_life, strategies
from recovery.simulation.backtest.lives import Scene, Strategy
from recovery.simulation.backtest.policies import STRIPE_RHYTHM
from recovery.simulation.world import World, build_world

CONFIG = Path(__file__).resolve().parents[1] / "config"
BASELINE = STRIPE_RHYTHM.name
ROUNDS = 5


def rate(world: World, make: Callable[[Scene], Strategy]) -> float:
    """Cases a second of processor time."""
    began = time.process_time()
    for person in world.people:
        one_life(world, person, make)
    return len(world.people) / (time.process_time() - began)


def main() -> None:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    made = strategies({OURS: rules_of(load_knowledge(CONFIG))})
    print(f"{'world':10} {'nothing/s':>10} {'ladder/s':>10} {'policy/s':>10} {'policy/ladder':>14}")
    for name in world_names(CONFIG):
        parameters = load_world(CONFIG, name)
        world = build_world(seed=1, customers=cases, days=91, start_at=START_AT, parameters=parameters)
        rates: dict[str, list[float]] = {strategy: [] for strategy in (NOTHING, BASELINE, OURS)}
        for _ in range(ROUNDS):  # taken in turns, so that a busy machine slows all of them alike
            for strategy, found in rates.items():
                found.append(rate(world, made[strategy]))
        nothing, ladder, ours = (statistics.median(found) for found in rates.values())
        print(f"{name:10} {nothing:10.0f} {ladder:10.0f} {ours:10.0f} {ours / ladder:14.2f}")


if __name__ == "__main__":
    main()
