"""Plays thousands of cases on several cores. Without it a comparison that means something would take minutes instead of seconds.

Processes are spawned, not forked: each builds its own part of the world from the seed, so nothing but numbers travels.
"""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from recovery.cases.rules import Rules
from recovery.simulation.backtest.compare import compare
from recovery.simulation.backtest.tally import Tally
from recovery.simulation.world.build import build_world
from recovery.simulation.world.parameters import Parameters

PART = 250
"""Cases a process takes at once: a second's work, so that the progress moves and the last part does not wait alone."""

SPREAD_DAYS = 91.0
"""Failures are spread over a quarter of a year: all days of the month, and a switch of summer time, are met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is compared: a world's parameters, a seed, how many cases from when on, and the policies with their knowledge."""

    parameters: Parameters
    seed: int
    cases: int
    start_at: datetime
    policies: Mapping[str, Rules]


def backtest(plan: Plan, *, processes: int) -> Iterator[tuple[int, dict[str, Tally]]]:
    """The figures so far and the number of cases in them, after each part; the last ones are complete.

    The figures do not depend on the number of processes.
    """
    parts = [(first, min(PART, plan.cases - first)) for first in range(0, plan.cases, PART)]
    total: dict[str, Tally] = {}
    done = 0
    for part in _worked(plan, parts, processes):
        for name, tally in part.items():
            total.setdefault(name, Tally()).merge(tally)
        done = next(iter(total.values())).cases
        yield done, total


def _worked(plan: Plan, parts: list[tuple[int, int]], processes: int) -> Iterator[dict[str, Tally]]:
    if processes == 1 or len(parts) == 1:
        yield from (play_part(plan, *part) for part in parts)
        return
    # The plan travels once: with each part it would come without the calendars that the process has worked out by then.
    with multiprocessing.get_context("spawn").Pool(min(processes, len(parts)), _begin, (plan,)) as pool:
        yield from pool.imap(_play, parts)


_plans: list[Plan] = []
"""In a process of the pool: what it plays."""


def _begin(plan: Plan) -> None:
    _plans.append(plan)


def _play(part: tuple[int, int]) -> dict[str, Tally]:
    return play_part(_plans[0], *part)


def play_part(plan: Plan, first: int, customers: int) -> dict[str, Tally]:
    """One part of the cases under every strategy: so many customers from the first one's number on."""
    world = build_world(
        seed=plan.seed,
        customers=customers,
        days=SPREAD_DAYS,
        start_at=plan.start_at,
        parameters=replace(plan.parameters, failures_within_days=SPREAD_DAYS),
        first=first,
    )
    tallies: dict[str, Tally] = {}
    with uncollected():
        for lives in compare(world, plan.policies):
            ours = next(played for played in lives if played.strategy in plan.policies)
            for played in lives:
                tallies.setdefault(played.strategy, Tally()).add(played, ours=ours)
    return tallies


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no circles among objects meanwhile: lives have none, whatever ends is freed at once, and looking costs a twentieth."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
