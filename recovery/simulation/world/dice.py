"""Chance from a seed and a name, never from a sequence of calls.

Without it one customer's outcome would depend on how many calls others made before, and the same seed would give
another world under another load.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from random import Random
from typing import TypeVar

_T = TypeVar("_T")


def dice(seed: int, *name: object) -> Random:
    """A generator that depends on the seed and the name only."""
    text = "/".join(str(part) for part in (seed, *name))
    return Random(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big"))  # noqa: S311


def chance(seed: int, *name: object) -> float:
    """One number in 0..1 for a name."""
    return dice(seed, *name).random()


def drawn(random: Random, shares: Mapping[_T, float]) -> _T:
    """One key by its share; shares need not add up to one."""
    return random.choices(list(shares), list(shares.values()))[0]
