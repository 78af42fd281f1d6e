"""Attempts by hour and weekday as a grid. Without it a hundred and sixty-eight rows would hide when banks say yes."""

from dataclasses import dataclass

from recovery.reporting.figures import WEEKDAYS, hour_key
from recovery.reporting.table import Rate, Table

STEPS = 5
"""Shades that can be told apart, in print too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One hour of the week, all currencies together: attempts may be added up, money may not.

    ``shade`` is 0 where nothing was tried, then 1 to STEPS by the success rate, a fifth each.
    """

    attempts: int
    succeeded: int
    shade: int

    @property
    def words(self) -> str:
        """The cell as a reader hears it."""
        if not self.attempts:
            return "no attempt"
        return f"{self.succeeded} of {self.attempts} succeeded"

    @property
    def percent(self) -> str:
        """The rate without decimals; empty where nothing was tried."""
        return f"{100 * self.succeeded // self.attempts}" if self.attempts else ""


def heat_maps(hours: Table) -> list[tuple[str, tuple[Cell, ...]]]:
    """Weekday by weekday the twenty-four hours; empty where nothing was tried at all."""
    counts: dict[str, list[int]] = {}
    for row in hours.rows:
        found = counts.setdefault(row.key, [0, 0])
        rate = row.figures["success_rate"]
        assert isinstance(rate, Rate)
        found[0] += rate.whole
        found[1] += rate.part
    if not counts:
        return []
    return [
        (name, tuple(_cell(*counts.get(hour_key(day * 24 + hour), (0, 0))) for hour in range(24)))
        for day, name in enumerate(WEEKDAYS)
    ]


def _cell(attempts: int, succeeded: int) -> Cell:
    shade = min(STEPS, 1 + STEPS * succeeded // attempts) if attempts else 0
    return Cell(attempts=attempts, succeeded=succeeded, shade=shade)
