"""Runs a seed, judges it, and looks for the smallest story that still fails. Without it a failure would be hundreds of lines long."""

import traceback
from dataclasses import dataclass, replace

from sim_checks import judge
from sim_database import emptied
from sim_faults import KINDS
from sim_play import Run, Wish
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
        off = f" --off {','.join(sorted(self.wish.off))}" if self.wish.off else ""
        return f"python tests/simulation/run.py --seed {self.wish.seed}{off}"

    def brief(self) -> str:
        """For the terminal."""
        story = "\n".join(self.story[-STORY_LINES:])
        return (
            f"\nseed {self.wish.seed} FAILED\n{story}\n\n" + "\n".join(self.violations) + f"\nreplay: {self.command}\n"
        )


def run_seed(engine: Engine, seed: int, *, off: frozenset[str] = frozenset(), show: bool = False) -> Failure | None:
    """Run one seed; None when every checker is content."""
    return run_wish(engine, Wish(seed=seed, off=off), show=show)


def run_wish(engine: Engine, wish: Wish, *, show: bool = False) -> Failure | None:
    """Run one wish; None when every checker is content."""
    run = Run(wish, emptied(engine))
    try:
        run.play()
        violations = judge(run)
    except Exception as error:  # noqa: BLE001 - recorded as this seed's failure
        violations = ["".join(traceback.format_exception(error)[-6:]), f"{type(error).__name__}: {error}"]
    if show:
        print("\n".join(run.trace))
    if not violations:
        return None
    return Failure(
        wish=wish, violations=tuple(violations), story=tuple(run.trace), happened=tuple(sorted(run.faults.happened))
    )


def shrunk(engine: Engine, failure: Failure) -> Failure:
    """The same seed with as few kinds of trouble as still make it fail."""
    smallest = failure
    for kind in KINDS:
        if kind in smallest.wish.off:
            continue
        smaller = run_wish(engine, replace(smallest.wish, off=smallest.wish.off | {kind}))
        if smaller is not None:
            smallest = smaller
    return smallest
