"""Chance from a seed and a name, never from a sequence of calls.

Without it one customer's outcome would depend on how many calls others made before, and the same seed would give
another world under another load or another version of Python.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

_T = TypeVar("_T")

# One hash gives eight numbers; a double holds 53 of their 64 bits.
_BLOCK = struct.Struct("<8Q")
_SHARE = 2.0**-53


class Dice:
    """Numbers that depend on a name only. Seeding `random.Random` anew for each of them would take ten times as long."""

    __slots__ = ("_blocks", "_left", "_name")

    def __init__(self, name: bytes) -> None:
        self._name = name
        self._blocks = 0
        self._left: list[int] = []

    def random(self) -> float:
        """The next number in 0..1, without 1."""
        if not self._left:
            self._blocks += 1
            digest = blake2b(self._name, digest_size=64, salt=self._blocks.to_bytes(8, "little"))
            self._left = list(_BLOCK.unpack(digest.digest()))
        return (self._left.pop() >> 11) * _SHARE

    def uniform(self, low: float, high: float) -> float:
        """A number between two others."""
        return low + (high - low) * self.random()

    def by_magnitude(self, low: float, high: float) -> float:
        """A number between two others above 0, as likely from 1 to 10 as from 10 to 100: many small ones and few large."""
        return low * math.pow(high / low, self.random())

    def randint(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self.random() * (high - low + 1))

    def choice(self, among: Sequence[_T]) -> _T:
        """One of several, all alike."""
        return among[int(self.random() * len(among))]


def dice(seed: int, *name: object) -> Dice:
    """Dice that depend on the seed and the name only."""
    return Dice(_text(seed, name))


def chance(seed: int, name: str) -> float:
    """One number in 0..1 for a name."""
    digest = blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) * _SHARE


def drawn(random: Dice, shares: Mapping[_T, float]) -> _T:
    """One key by its share; shares need not add up to one."""
    throw = random.random() * sum(shares.values())
    for key, share in shares.items():
        throw -= share
        if throw < 0:
            return key
    return next(reversed(list(shares)))


def _text(seed: int, name: tuple[object, ...]) -> bytes:
    return "/".join(map(str, (seed, *name))).encode()
