"""When the machine itself was slow. Without it a host that takes its guest's cores away would pass for slowness of what is measured.

A process of its own does a small piece of work again and again, always the same, and notes the processor time it took. Whoever has to
wait for a core, behind what is measured or behind anybody else, spends none meanwhile: only a core that itself does less shows.
"""

import json
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

BEAT_SECONDS = 0.005
"""Between two pieces of work: the spells that were met last a tenth of a second."""

WORK = 600
"""Rounds of one piece: some hundredths of a millisecond, a hundredth of a core in all."""

SLOW_FACTOR = 2.5
"""Times as much processor time as usual. Emptied caches cost less than twice as much, the spells that were met eight times."""

JOINED_SECONDS = 0.05
"""Slow beats this close together are one spell; a lone one is none."""


class Spell(NamedTuple):
    """While the machine was slow, on its monotonic clock."""

    began: float
    ended: float


@contextmanager
def felt() -> Iterator[list[Spell]]:
    """The spells of what is done meanwhile; filled at its end."""
    spells: list[Spell] = []
    with subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as beating:
        yield spells
        told, _ = beating.communicate()
    spells += slow_spells([(at, taken) for at, taken in json.loads(told)])


def slow_spells(beats: Sequence[tuple[float, float]]) -> list[Spell]:
    """From the beats' instants and the processor time of each."""
    usual = statistics.median(taken for _, taken in beats)
    spells: list[Spell] = []
    for at in (at for at, taken in beats if taken > SLOW_FACTOR * usual):
        if spells and at - spells[-1].ended < JOINED_SECONDS:
            spells[-1] = Spell(spells[-1].began, at)
        else:
            spells.append(Spell(at, at))
    return [spell for spell in spells if spell.ended > spell.began]


def _beat() -> None:
    """Until nobody listens any more."""
    beats = []
    while not select.select([sys.stdin], [], [], BEAT_SECONDS)[0]:
        at, before = time.monotonic(), time.thread_time()
        sum(number * number for number in range(WORK))
        beats.append((at, time.thread_time() - before))
    json.dump(beats, sys.stdout)


if __name__ == "__main__":
    _beat()
