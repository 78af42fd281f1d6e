"""Runs a seed, judges it, and looks for the smallest story that still fails. Without it a failure would be hundreds of lines long."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

from sim_database import emptied
from sim_faults import KINDS
from sim_judge import judge
from sim_play import TURNS, Run, Wish
from sqlalchemy import Engine

STORY_LINES = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What failed, how to see it again, and the story."""

    wish: Wish
    violations: tuple[str, ...]
    story: tuple[str, ...]
    happened: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """Replays this very run."""
        wish = self.wish
        customers = f" --customers {wish.customers}" if wish.customers else ""
        turns = f" --turns {wish.turns}" if wish.turns != TURNS else ""
        off = f" --off {','.join(sorted(wish.off))}" if wish.off else ""
        return f"python tests/simulation/run.py --seed {wish.seed}{customers}{turns}{off}"

    def brief(self) -> str:
        """For the terminal."""
        story = "\n".join(self.story[-STORY_LINES:])
        return (
            f"\nseed {self.wish.seed} FAILED\n{story}\n\n" + "\n".join(self.violations) + f"\nreplay: {self.command}\n"
        )


def run_wish(engine: Engine, wish: Wish, *, tell: Callable[[list[str]], object] | None = None) -> Failure | None:
    """Run one wish; None when every checker is content. ``tell`` gets the story's lines."""
    run = Run(wish, emptied(engine))
    try:
        run.play()
        violations = judge(run)
    except Exception as error:  # noqa: BLE001 - recorded as this seed's failure
        violations = ["".join(traceback.format_exception(error)[-6:]), f"{type(error).__name__}: {error}"]
    finally:
        run.eye.close()
    if tell is not None:
        tell(run.trace)
    if not violations:
        return None
    return Failure(
        wish=wish, violations=tuple(violations), story=tuple(run.trace), happened=tuple(sorted(run.faults.happened))
    )


def shrunk(engine: Engine, failure: Failure) -> Failure:
    """The same seed with as few customers, turns and kinds of trouble as still make it fail."""
    smallest = failure
    for customers in (1, 2):
        smallest = run_wish(engine, replace(smallest.wish, customers=customers)) or smallest
        if smallest is not failure:
            break
    for kind in KINDS:
        if kind not in smallest.wish.off:
            smallest = run_wish(engine, replace(smallest.wish, off=smallest.wish.off | {kind})) or smallest
    for turns in (60, 30, 15, 5):
        smallest = run_wish(engine, replace(smallest.wish, turns=turns)) or smallest
    return smallest
