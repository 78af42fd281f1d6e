"""Which letters a customer gets, and on which days. Without it one email would have to suit everybody."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, MinLen

from recovery.cases.segments import JOINT
from recovery.declines.classify import DeclineClass

_FORBID: Any = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One email of a campaign: how many days after exhaustion it is due, and which text it has."""

    __pydantic_config__: ClassVar[Any] = _FORBID
    day: Annotated[float, Ge(0), Le(180)]
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Letters in their order, for some segments and classes of decline; without any it is for all."""

    __pydantic_config__: ClassVar[Any] = _FORBID
    name: str
    letters: Annotated[tuple[Letter, ...], MinLen(1)]
    segments: tuple[str, ...] = ()
    classes: tuple[DeclineClass, ...] = ()

    def __post_init__(self) -> None:
        days = [letter.day for letter in self.letters]
        if any(later <= earlier for earlier, later in pairwise(days)):
            raise ValueError(f"campaign {self.name}: each letter's day must lie after the one before, not {days}")

    def is_for(self, segment: str, decline_class: DeclineClass | None) -> bool:
        """Whether a case of these joined segments, last declined so, gets this campaign."""
        return (not self.segments or bool(set(self.segments) & set(segment.split(JOINT)))) and (
            not self.classes or decline_class in self.classes
        )


PLAIN = Campaign(name="plain", letters=(Letter(day=0, template="payment_due"),))
"""One email, for policies from before there were campaigns."""


def campaign_for(campaigns: tuple[Campaign, ...], segment: str, decline_class: DeclineClass | None) -> Campaign:
    """The campaign of a case: of those that are for it, the last one; the plain one where none is."""
    return next((each for each in reversed(campaigns) if each.is_for(segment, decline_class)), PLAIN)
