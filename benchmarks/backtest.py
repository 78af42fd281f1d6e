"""How many cases a second one core plays under each strategy, and how that compares with two baselines.

A case is one customer's failed invoice, played by one strategy to its end: 45 days, all charges, emails and what the customer does. So
`recovery backtest --cases 20000` plays 20,000 cases under each strategy. Baselines: 2,000 cases a second on a core, which is what is
wanted; and Stripe's rhythm played beside it in the same run, a strategy that decides nothing and mostly pays for the world. The first
depends on machine and interpreter, so a loop of plain Python is timed too, and its rate is printed; the second repeats.

Run: ``python benchmarks/backtest.py [cases]``. Times are processor time of this one process.
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
from recovery.simulation.backtest.many import uncollected
from recovery.simulation.backtest.policies import STRIPE_RHYTHM
from recovery.simulation.world import World, build_world

CONFIG = Path(__file__).resolve().parents[1] / "config"
BASELINE = STRIPE_RHYTHM.name
WANTED = 2000
ROUNDS = 5
LOOPS = 1_000_000


def rate(world: World, make: Callable[[Scene], Strategy]) -> float:
    """Cases a second of processor time."""
    with uncollected():
        began = time.process_time()
        for person in world.people:
            one_life(world, person, make)
        return len(world.people) / (time.process_time() - began)


def loops() -> float:
    """Turns a second of a loop that adds: what this interpreter makes of this core just now."""
    began, total = time.process_time(), 0
    for number in range(LOOPS):
        total += number & 3
    return LOOPS / (time.process_time() - began)


def main() -> None:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    made = strategies({OURS: rules_of(load_knowledge(CONFIG))})
    heads = ("world", "nothing/s", "ladder/s", "policy/s", f"policy/{WANTED}", "policy/ladder", "loop, M/s")
    print("".join(f"{head:>14}" for head in heads))
    for name in world_names(CONFIG):
        parameters = load_world(CONFIG, name)
        world = build_world(seed=1, customers=cases, days=91, start_at=START_AT, parameters=parameters)
        rates: dict[str, list[float]] = {strategy: [] for strategy in (NOTHING, BASELINE, OURS)}
        speeds = []
        for _ in range(ROUNDS):  # taken in turns, so that a busy machine slows all of them alike
            for strategy, found in rates.items():
                found.append(rate(world, made[strategy]))
            speeds.append(loops())
        nothing, ladder, ours = (statistics.median(found) for found in rates.values())
        shares = f"{ours / WANTED:14.2f}{ours / ladder:14.2f}{statistics.median(speeds) / 1e6:14.1f}"
        print(f"{name:>14}{nothing:14.0f}{ladder:14.0f}{ours:14.0f}{shares}", flush=True)


if __name__ == "__main__":
    main()
