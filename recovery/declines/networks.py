"""What the card networks allow, as dated rule packs. As constants in code they would be wrong within a year."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, MinLen


class Advice(StrEnum):
    """What a network's own code demands, whatever the gateway's code says."""

    NEVER_AGAIN = "never_again"
    FIX_CARD = "fix_card"
    OTHER_CARD = "other_card"
    WAIT = "wait"


class Counted(StrEnum):
    """What a cap counts: every attempt that reached the network, or only those that were declined."""

    ATTEMPTS = "attempts"
    DECLINES = "declines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most ``tries_max`` in a rolling window of ``window_hours`` per card, or per card, amount and currency."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}
    tries_max: Annotated[int, Ge(1)]
    window_hours: Annotated[int, Ge(1)]
    per_amount: bool
    counted: Counted = Counted.ATTEMPTS


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRule:
    """One network code: what it demands and, for WAIT, how many hours."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}
    advice: Advice
    reason: str
    hours: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePack:
    """One edition of one network's retry rules. ``brands`` are the gateway's names of the cards it governs."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}
    network: str
    edition: str
    brands: Annotated[tuple[str, ...], MinLen(1)]
    in_force_from: date
    source: str
    caps: tuple[Cap, ...]
    decline_codes: Mapping[str, CodeRule] = field(default_factory=dict)
    advice_codes: Mapping[str, CodeRule] = field(default_factory=dict)

    def name(self) -> str:
        """Network and edition in one word: visa-2026-04."""
        return f"{self.network}-{self.edition}"


OTHER_BRANDS = "other"
"""The brand name under which the pack for every unlisted brand is filed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRules:
    """All known editions. The one in force at the sending instant applies to everybody, whatever policy a case has."""

    packs: Sequence[RulePack]

    def in_force(self, brand: str | None, at: datetime) -> RulePack:
        """The pack that governs a brand at an instant; unknown brands fall to the pack for "other".

        Raises LookupError when no edition is in force, which loading the files rules out.
        """
        for wanted in (brand, OTHER_BRANDS):
            dated = [p for p in self.packs if wanted in p.brands and p.in_force_from <= at.date()]
            if dated:
                return max(dated, key=lambda p: p.in_force_from)
        raise LookupError(f"no network rules in force for {brand} on {at.date()}")
