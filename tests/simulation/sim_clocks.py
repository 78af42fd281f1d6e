"""Both clocks of a simulated run, driven by hand. Without them a run would depend on how fast the machine is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = datetime(2026, 10, 5, 8, 0, tzinfo=UTC)
"""A Monday, three weeks before a new edition of the Visa rules comes into force."""


@dataclass
class Clocks:
    """Business time and machine time. In production they run alike; a driven run lets business time jump ahead.

    ``skew`` is how wrong the machine's clock is at the moment: workers on other machines see another one.
    """

    driven: bool = False
    at: datetime = START
    machine_at: datetime = START
    skew: timedelta = timedelta(0)

    def business(self) -> datetime:
        """Business time, as the engine is told it."""
        return self.at

    def machine(self) -> datetime:
        """Machine time, as the engine is told it."""
        return self.machine_at + self.skew

    def tick(self, seconds: float) -> None:
        """Let real time pass."""
        self.machine_at += timedelta(seconds=seconds)
        if not self.driven:
            self.at += timedelta(seconds=seconds)

    def jump(self, to: datetime) -> None:
        """Let business time reach an instant; machine time comes along where nobody drives."""
        ahead = to - self.at
        if ahead > timedelta(0):
            self.at = to
            self.machine_at += timedelta(seconds=1) if self.driven else ahead
