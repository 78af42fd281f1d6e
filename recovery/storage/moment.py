"""The two clocks at one write. Without the pair a lease could be measured in business time that jumps."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Business time of what happens, machine time of leases, holds and the booking."""

    now: datetime
    machine_now: datetime
