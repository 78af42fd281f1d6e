"""Runs seeds of the simulation: ``python tests/simulation/run.py --seeds 2000``. A seed that fails is shrunk and printed."""

import argparse
import contextlib
import logging
import multiprocessing
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from sim_database import opened
from sim_play import TURNS, Wish
from sim_shrink import Failure, run_wish, shrunk
from sqlalchemy import Engine

from recovery.runtime.embedded import embedded_postgres
from recovery.storage.migrate import upgrade

PROGRESS_EVERY = 50
SILENCE_SECONDS = 600.0
"""No seed and no shrinking takes so long: after it the run is given up as hanging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one process is to do."""

    number: int
    seeds: Iterable[int]
    like: Wish
    shrink: bool


@contextlib.contextmanager
def database(directory: Path, number: int) -> Iterator[Engine]:
    """A migrated database on a throwaway server of our own."""
    with embedded_postgres(directory / f"server{number}", throwaway=True) as server:
        upgrade(server.url)
        engine = opened(server.url)
        try:
            yield engine
        finally:
            engine.dispose()


def quiet() -> None:
    """The engine's own log would drown the story."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def run_many(order: Order, told: "multiprocessing.Queue[Failure | int]") -> None:
    """Run seeds one after the other and tell each outcome: the seed, or how it failed."""
    quiet()
    with tempfile.TemporaryDirectory() as directory, database(Path(directory), order.number) as engine:
        for seed in order.seeds:
            failure = run_wish(engine, replace(order.like, seed=seed))
            if failure is not None and order.shrink:
                failure = shrunk(engine, failure)
            told.put(failure or seed)


def main() -> int:
    """Run the seeds that were asked for; 1 when any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this one and print its story")
    parser.add_argument("--jobs", type=int, default=2, help="processes, each with a server of its own")
    parser.add_argument("--customers", type=int, default=0, help="how many customers (0: as the seed has it)")
    parser.add_argument("--turns", type=int, default=TURNS, help="how many turns with faults")
    parser.add_argument("--off", default="", help="kinds of trouble to leave out, separated by commas")
    parser.add_argument("--stop", action="store_true", help="stop at the first seed that fails")
    parser.add_argument(
        "--shrink", action=argparse.BooleanOptionalAction, default=True, help="look for the least story"
    )
    asked = parser.parse_args()
    off = frozenset(kind for kind in asked.off.split(",") if kind)
    like = Wish(seed=asked.seed or 0, customers=asked.customers, turns=asked.turns, off=off)
    return _many(asked, like) if asked.seed is None else _one(like)


def _one(wish: Wish) -> int:
    quiet()
    with tempfile.TemporaryDirectory() as directory, database(Path(directory), 0) as engine:
        failure = run_wish(engine, wish, tell=lambda story: print("\n".join(story)))
    print(f"seed {wish.seed}: fine" if failure is None else "\n" + "\n".join(failure.violations))
    return 0 if failure is None else 1


def _many(asked: argparse.Namespace, like: Wish) -> int:
    told: multiprocessing.Queue[Failure | int] = multiprocessing.Queue()
    workers = []
    for job in range(asked.jobs):
        seeds = range(asked.first + job, asked.first + asked.seeds, asked.jobs)
        order = Order(number=job, seeds=seeds, like=like, shrink=asked.shrink)
        workers.append(multiprocessing.Process(target=run_many, args=(order, told)))
        workers[-1].start()
    failed = 0
    for count in range(1, asked.seeds + 1):
        outcome = told.get(timeout=SILENCE_SECONDS)
        if isinstance(outcome, Failure):
            failed += 1
            print(outcome.brief(), flush=True)
            if asked.stop:
                for worker in workers:
                    worker.terminate()
                break
        if count % PROGRESS_EVERY == 0:
            print(f"{count} of {asked.seeds} seeds, {failed} failed", file=sys.stderr, flush=True)
    for worker in workers:
        worker.join()
    print(f"{asked.seeds} seeds from {asked.first} on: {failed} failed")
    return 1 if failed or any(worker.exitcode for worker in workers) else 0


if __name__ == "__main__":
    sys.exit(main())
