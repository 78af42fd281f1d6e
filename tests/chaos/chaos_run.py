"""Rounds of chaos until the time is up: ``make chaos MINUTES=10``. Prints kills, recovery times and violations."""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from chaos_agent import Agent
from chaos_beside import Earlier, NoEarlierRelease, earlier, previous_schema
from chaos_judge import judge
from chaos_stack import Scale, end_of, installation

FAULTS = {
    "charge_then_500": 0.05,
    "reset_before": 0.03,
    "reset_after": 0.05,
    "rate_limited": 0.05,
    "doubled": 0.1,
    "late": 0.1,
}
LONGEST_SECONDS = 3600.0
CALM_SHARE = 5
"""One round in so many keeps production's lease and rhythm: its recovery times are what production has."""


@dataclass
class Round:
    """What one round showed."""

    violations: list[str]
    done: Counter[str]
    kills: int
    resumed: dict[str, list[float]]
    charges: int
    emails: int
    seconds: float


@dataclass
class Sum:
    """All rounds together."""

    rounds: int = 0
    kills: int = 0
    charges: int = 0
    emails: int = 0
    done: Counter[str] = field(default_factory=Counter)
    resumed: dict[str, list[float]] = field(default_factory=dict)
    failed: int = 0


def play_round(home: Path, scale: Scale, *, seconds: float, pause: tuple[float, float]) -> Round:
    """One world played to its end while things break for so many seconds, then judged."""
    began = time.monotonic()
    with installation(home, scale) as made:
        agent = Agent(made, scale.seed)
        thread = threading.Thread(target=agent.rage, args=(seconds, pause))
        thread.start()
        try:
            made.play(end_of(scale))
        finally:
            agent.stop.set()
            thread.join()
        agent.count_deaths()
        return Round(
            violations=judge(made),
            done=agent.done,
            kills=agent.kills,
            resumed=agent.resumed,
            charges=len(made.world.ledger()["charges"]),
            emails=len(made.caught.emails),
            seconds=time.monotonic() - began,
        )


def main() -> int:
    """Rounds with one seed after the other; 1 when any showed a violation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--customers", type=int, default=20)
    parser.add_argument("--days", type=int, default=24)
    parser.add_argument(
        "--beside", metavar="REVISION", help="whose worker works along (by itself: the newest with the previous schema)"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="recovery-then-") as folder:
        beside = None
        try:
            beside = earlier(asked.beside or previous_schema(), Path(folder))
        except NoEarlierRelease as why:
            print(f"left out: an earlier release's worker beside this one's: {why}", flush=True)
        total = play(asked, beside)
    tell(total)
    return 1 if total.failed else 0


def play(asked: argparse.Namespace, beside: Earlier | None) -> Sum:
    """Rounds with one seed after the other until the time is up; in every other one an earlier release works along."""
    ends_at, seed, total = time.monotonic() + asked.minutes * 60, asked.first, Sum()
    while time.monotonic() < ends_at:
        along = beside if total.rounds % 2 else None
        scale = Scale(seed=seed, customers=asked.customers, days=asked.days, faults=FAULTS, beside=along)
        as_usual = total.rounds % CALM_SHARE == CALM_SHARE - 1
        if as_usual:
            scale = replace(scale, lease_seconds=30.0, ring_seconds=3.0)
        with tempfile.TemporaryDirectory(prefix="recovery-chaos-") as home:
            found = play_round(Path(home), scale, seconds=LONGEST_SECONDS, pause=(1.0, 5.0))
        add(total, found)
        kinds = (
            f"seed {seed}: {found.kills} kills, {found.charges} charges, {found.emails} emails, {found.seconds:.0f} s"
        )
        kinds += f", beside {along.revision[:10]}" if along else ""
        print(f"{kinds}{' (production leases)' if as_usual else ''}: {found.violations or 'all held'}", flush=True)
        seed += 1
    return total


def add(total: Sum, found: Round) -> None:
    """One more round."""
    total.rounds += 1
    total.kills += found.kills
    total.charges += found.charges
    total.emails += found.emails
    total.done += found.done
    total.failed += bool(found.violations)
    for what, times in found.resumed.items():
        total.resumed.setdefault(what, []).extend(times)


def tell(total: Sum) -> None:
    """The summary."""
    played = f"{total.rounds} rounds, {total.kills} kills, {total.charges} charges, {total.emails} emails"
    print(f"{played}, {total.failed} rounds with violations")
    print("; ".join(f"{what}: {count}" for what, count in sorted(total.done.items())))
    for what, times in total.resumed.items():
        print(
            f"after the {what} came back a due step was claimed in {statistics.median(times):.1f} s, at worst {max(times):.1f} s"
        )


if __name__ == "__main__":
    sys.exit(main())
