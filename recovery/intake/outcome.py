"""What became of one event: done, or it has to wait. Without the second an early event would be lost or retried hotly."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """The event had its effect, or needs none; why, in words."""

    detail: str


@dataclass(frozen=True, slots=True)
class Held:
    """The event waits for some machine seconds. ``counts`` when waiting for ever would be a mistake."""

    detail: str
    seconds: float
    counts: bool = False
