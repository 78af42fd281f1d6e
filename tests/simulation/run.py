"""Runs seeds of the simulation: ``python tests/simulation/run.py --seeds 2000``. A seed that fails is shrunk and printed."""

import argparse
import contextlib
import logging
import multiprocessing
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog
from sim_shrink import Failure, run_seed, shrunk
from sqlalchemy import Engine

from recovery.runtime.embedded import embedded_postgres
from recovery.storage.connect import connect
from recovery.storage.migrate import upgrade


@contextlib.contextmanager
def database(directory: Path, number: int) -> Iterator[Engine]:
    """A migrated database on a throwaway server of our own."""
    with embedded_postgres(directory / f"server{number}", throwaway=True) as server:
        upgrade(server.url)
        engine = connect(server.url)
        try:
            yield engine
        finally:
            engine.dispose()


def quiet() -> None:
    """The engine's own log would drown the story."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def run_many(
    number: int, seeds: Iterable[int], told: "multiprocessing.Queue[Failure | int]", wish: argparse.Namespace
) -> None:
    """Run seeds one after the other and tell each outcome: the seed, or how it failed."""
    quiet()
    with tempfile.TemporaryDirectory() as directory, database(Path(directory), number) as engine:
        for seed in seeds:
            failure = run_seed(engine, seed, off=kinds(wish.off))
            if failure is not None and wish.shrink:
                failure = shrunk(engine, failure)
            told.put(failure or seed)


def kinds(listed: str) -> frozenset[str]:
    """Kinds of trouble from a list separated by commas."""
    return frozenset(kind for kind in listed.split(",") if kind)


def main() -> int:
    """Run the seeds that were asked for; 1 when any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this one and print its story")
    parser.add_argument("--jobs", type=int, default=2, help="processes, each with a server of its own")
    parser.add_argument("--off", default="", help="kinds of trouble to leave out, separated by commas")
    parser.add_argument(
        "--shrink", action=argparse.BooleanOptionalAction, default=True, help="look for the least story"
    )
    wish = parser.parse_args()
    if wish.seed is not None:
        return _one(wish.seed, kinds(wish.off))
    told: multiprocessing.Queue[Failure | int] = multiprocessing.Queue()
    workers = [
        multiprocessing.Process(
            target=run_many, args=(job, range(wish.first + job, wish.first + wish.seeds, wish.jobs), told, wish)
        )
        for job in range(wish.jobs)
    ]
    for worker in workers:
        worker.start()
    failures = _listen(told, wish.seeds)
    for worker in workers:
        worker.join()
    print(f"{wish.seeds} seeds from {wish.first} on: {len(failures)} failed")
    return 1 if failures or any(worker.exitcode for worker in workers) else 0


def _one(seed: int, off: frozenset[str]) -> int:
    quiet()
    with tempfile.TemporaryDirectory() as directory, database(Path(directory), 0) as engine:
        failure = run_seed(engine, seed, off=off, show=True)
    if failure is None:
        print(f"seed {seed}: fine")
        return 0
    print(failure.brief())
    return 1


def _listen(told: "multiprocessing.Queue[Failure | int]", seeds: int) -> list[Failure]:
    failures: list[Failure] = []
    for count in range(1, seeds + 1):
        outcome = told.get(timeout=600)
        if isinstance(outcome, Failure):
            failures.append(outcome)
            print(outcome.brief(), flush=True)
        if count % 50 == 0:
            print(f"{count} of {seeds} seeds, {len(failures)} failed", file=sys.stderr, flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main())
