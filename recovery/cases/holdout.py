"""Who is treated plainly, so that the engine can be measured. Without it every recovery would be called the engine's doing.

A share of the customers, drawn by lot, gets a plain fixed ladder instead of all that the engine knows. The lot falls on the customer,
not on the case: somebody who was treated both ways would tell nothing.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, MaxLen, MinLen

_FORBID: Any = {"extra": "forbid"}


class Arm(StrEnum):
    """How the customers of a measured case are treated."""

    ENGINE = "engine"
    HOLDOUT = "holdout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """The share of customers that gets a plain ladder, 0 for none, and the days between its tries, the first from the failure.

    The default ladder is one that other services ship. ``lot`` is mixed into the draw: another word draws all customers anew who
    have no measured case yet.
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    share: Annotated[float, Ge(0), Le(0.5)] = 0.0
    gaps_days: Annotated[tuple[Annotated[float, Ge(0.25), Le(30)], ...], MinLen(1), MaxLen(10)] = (3.0, 5.0, 7.0)
    lot: str = "first"

    def arm_of(self, customer: str, *, before: Arm | None) -> Arm | None:
        """The arm of a customer's new case; ``before`` is that of an earlier one and stays. None where nothing is measured."""
        if not self.share:
            return None
        if before is not None:
            return before
        drawn = int.from_bytes(hashlib.sha256(f"{self.lot}:{customer}".encode()).digest()[:8])
        return Arm.HOLDOUT if drawn < self.share * 2**64 else Arm.ENGINE

    def brief(self, arm: Arm) -> str:
        """What the lot means for a case, in words."""
        if arm is Arm.ENGINE:
            return "measured: by lot the customer is not in the holdout"
        days = ", ".join(f"{gap:g}" for gap in self.gaps_days)
        return (
            f"measured: by lot the customer is in the holdout and gets a plain ladder ({days} days) whatever the hour"
        )
