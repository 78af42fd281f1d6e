"""Judges a round from outside, by the checkers of the simulation; and by the demo's own, for the report of finance."""

from collections.abc import Iterator

import sim_checks
from chaos_seen import view_of
from chaos_stack import Installation, end_of
from sim_view import View

from recovery.runtime.demo.outcome import outcome_of
from recovery.runtime.worlds import START_AT


def judge(made: Installation) -> list[str]:
    """Every violation found, in words.

    Left out: that every case has ended (``all_ended``), for a round ends with the days that it was to play; and what only the
    simulation's gateway can see: which reading settled an attempt (``Books.hasty``), corrected addresses, an updater that is asked.
    """
    ledger = made.world.ledger()
    outcome = outcome_of(made.database, ledger, made.caught, first=START_AT, until=end_of(made.scale))
    broken = [f"{name} does not hold" for name, held in outcome["checks"].items() if not held]
    return broken + sim_checks.judge(view_of(made), set_aside)


def set_aside(view: View) -> Iterator[str]:
    """No step was set aside: a round's faults are too far apart for any to fail for good, so that nobody need look."""
    for step in view.steps:
        if step.set_aside_at is not None:
            yield f"step {step.id} {step.kind} of {step.case_id} was set aside: {step.error}"
