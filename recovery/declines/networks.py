"""What the card networks allow, as dated rule packs. As constants in code they would be wrong within a year."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, MinLen

_FORBID: Any = {"extra": "forbid"}

LOOK_BACK = timedelta(days=31)
"""How far back a card's tries are read: one day more than the longest window that any network rolls. No cap may reach further."""


class Advice(StrEnum):
    """What a network's own code demands, whatever the gateway's code says."""

    NEVER_AGAIN = "never_again"
    FIX_CARD = "fix_card"
    OTHER_CARD = "other_card"
    ASK_CUSTOMER = "ask_customer"
    """The customer must be present: authenticate, or give what no card on file holds."""
    WAIT = "wait"
    MAY_RETRY = "may_retry"
    """Nothing is demanded; the code may say why, which is finer than the gateway's word."""


class Because(StrEnum):
    """Why a network allows another try: lack of money, or an ill issuer."""

    NO_FUNDS = "no_funds"
    ISSUER_ILL = "issuer_ill"


class Counted(StrEnum):
    """What a cap counts: every attempt that reached the network, or only those that were declined."""

    ATTEMPTS = "attempts"
    DECLINES = "declines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most ``tries_max`` in a rolling window of ``window_hours`` per card, or per card, amount and currency.

    ``customer_tries`` tells whether payments that the customer started count too.
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    tries_max: Annotated[int, Ge(1), Le(100_000)]
    window_hours: Annotated[int, Ge(1), Le(LOOK_BACK // timedelta(hours=1))]
    per_amount: bool
    counted: Counted = Counted.ATTEMPTS
    customer_tries: bool = True

    @property
    def span(self) -> str:
        """The window in words: "30 days", "24 hours"."""
        days, rest = divmod(self.window_hours, 24)
        return f"{self.window_hours} hours" if rest or days == 1 else f"{days} days"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRule:
    """One network code: what it demands; for WAIT how many hours, for MAY_RETRY why the try failed, if the code tells.

    ``typed`` when it is about what the customer typed besides number and expiry (see DeclineRule).
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    advice: Advice
    reason: str
    hours: Annotated[int, Ge(0), Le(366 * 24)] = 0
    because: Because | None = None
    typed: bool = False

    def __post_init__(self) -> None:
        if (self.advice is Advice.WAIT) != (self.hours > 0):
            raise ValueError("hours belong to the advice wait, which needs them: hours = 24")


class FeeFor(StrEnum):
    """What a network charges for."""

    BEYOND_CAP = "beyond_cap"
    AFTER_NEVER_AGAIN = "after_never_again"
    WAIT_ADVICE = "wait_advice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """What one violating attempt (or one given advice, of ``codes`` where there are some) costs, at home and across a border."""

    __pydantic_config__: ClassVar[Any] = _FORBID
    charged_for: FeeFor
    currency: str
    domestic_minor: Annotated[int, Ge(0), Le(1_000_000)]
    cross_border_minor: Annotated[int, Ge(0), Le(1_000_000)]
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """What differs for cards issued in some countries: further caps and codes; a code replaces the general one."""

    __pydantic_config__: ClassVar[Any] = _FORBID
    name: str
    countries: Annotated[tuple[str, ...], MinLen(1)]
    caps: tuple[Cap, ...] = ()
    decline_codes: Mapping[str, CodeRule] = field(default_factory=dict)
    advice_codes: Mapping[str, CodeRule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePack:
    """One edition of one network's retry rules. ``brands`` are the gateway's names of the cards it governs.

    ``plain_decline_codes`` are known, demand nothing and tell no reason that is finer than the gateway's word.
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    network: str
    edition: str
    brands: Annotated[tuple[str, ...], MinLen(1)]
    in_force_from: date
    source: str
    caps: tuple[Cap, ...]
    fees: tuple[Fee, ...] = ()
    decline_codes: Mapping[str, CodeRule] = field(default_factory=dict)
    advice_codes: Mapping[str, CodeRule] = field(default_factory=dict)
    plain_decline_codes: tuple[str, ...] = ()
    regional: tuple[Region, ...] = ()

    def name(self) -> str:
        """Network and edition in one word: visa-2026-04."""
        return f"{self.network}-{self.edition}"

    def forbids(self, decline_code: str | None, advice_code: str | None) -> bool:
        """Whether a network's answer with these codes forbids every other try of the card."""
        found = (self.decline_codes.get(decline_code or ""), self.advice_codes.get(advice_code or ""))
        return any(rule is not None and rule.advice is Advice.NEVER_AGAIN for rule in found)

    def in_country(self, country: str | None) -> "RulePack":
        """The pack as it reads for cards issued in a country."""
        pack = self
        for region in self.regional:
            if country in region.countries:
                pack = replace(
                    pack,
                    edition=f"{pack.edition} ({region.name})",
                    caps=(*pack.caps, *region.caps),
                    decline_codes={**pack.decline_codes, **region.decline_codes},
                    advice_codes={**pack.advice_codes, **region.advice_codes},
                )
        return pack


OTHER_BRANDS = "other"
"""The brand name under which the pack for every unlisted brand is filed."""


@dataclass(frozen=True, kw_only=True)  # without slots: it keeps what it found
class NetworkRules:
    """All known editions. The one in force at the sending instant applies to everybody, whatever policy a case has.

    Before a network's first known edition that one applies: what must never be tried again was so before we wrote it down.
    """

    packs: Sequence[RulePack]

    @cached_property
    def _found(self) -> dict[tuple[str | None, str | None, date], RulePack]:
        return {}

    def in_force(self, brand: str | None, at: datetime, country: str | None = None) -> RulePack:
        """The pack that governs a brand at an instant, for a card's country; unknown brands fall to the pack for "other".

        Raises LookupError when no pack governs the brand, which loading the files rules out.
        """
        asked = (brand, country, at.date())
        found = self._found.get(asked)
        if found is None:
            found = self._found[asked] = self._in_force(brand, at.date()).in_country(country)
        return found

    def _in_force(self, brand: str | None, day: date) -> RulePack:
        for wanted in (brand, OTHER_BRANDS):
            editions = sorted((p for p in self.packs if wanted in p.brands), key=lambda p: p.in_force_from)
            if editions:
                return next((p for p in reversed(editions) if p.in_force_from <= day), editions[0])
        raise LookupError(f"no network rules for {brand}")
