"""Sentences that are put together only when somebody reads them. Without it thousands of cases played forward would spend their time on
reasons that are never shown.
"""

from functools import partial


class Sentence(partial[str]):
    """Words that are made when asked for. What makes them must depend on values only, so that they read the same at any time."""

    __slots__ = ()

    def __str__(self) -> str:
        return self()


Told = str | Sentence
"""A sentence, made already or not."""


def points_of(reason: str) -> list[str]:
    """The points of a reason that was put together of several, for a list."""
    return reason.split("; ")
