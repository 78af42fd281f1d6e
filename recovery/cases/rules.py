"""The knowledge a decision rests on, as one argument. Without it decide would read files or take a dozen parameters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property

from recovery.cases.case import Case
from recovery.cases.holdout import Arm
from recovery.cases.policy import Policy
from recovery.declines.classify import DeclineTable, Verdict, classify, with_the_customer
from recovery.declines.networks import NetworkRules
from recovery.declines.signals import Card, Signals
from recovery.timing.banks import Banks
from recovery.timing.budgets import Use
from recovery.timing.paydays import Paydays
from recovery.values import quick


@dataclass(frozen=True, kw_only=True)  # without slots: it keeps what it found
class Rules:
    """The policy pinned on the case, and the world's knowledge as it stands: codes, networks, banks, paydays.

    ``settle_seconds`` is the machine time after which a call to the gateway has surely ended: its total bound plus a margin.
    """

    policy: Policy
    declines: DeclineTable
    networks: NetworkRules
    banks: Banks
    paydays: Paydays
    settle_seconds: float

    @cached_property
    def _verdicts(self) -> dict[tuple[Signals, str | None, str | None, date], Verdict]:
        return {}

    @cached_property
    def _kept(self) -> dict[tuple[str, Arm | None], "Rules"]:
        return {}

    def verdict(self, signals: Signals, card: Card | None, at: datetime) -> Verdict:
        """What a decline allows, by the edition in force at an instant."""
        brand, country = (card.brand, card.country) if card else (None, None)
        asked = (signals, brand, country, at.date())
        found = self._verdicts.get(asked)
        if found is None:
            if len(self._verdicts) >= _VERDICTS_KEPT_MAX:
                self._verdicts.clear()
            pack = self.networks.in_force(brand, at, country)
            found = classify(signals, table=self.declines, pack=pack)
            if country is not None and country in self.policy.cards.customer_only_countries:
                found = with_the_customer(found, country)
            self._verdicts[asked] = found
        return found

    def for_case(self, case: Case) -> "Rules":
        """The rules with the policy as it reads for a case: for its segments, and for its arm."""
        return self.for_segment(case.segment, case.arm)

    def for_segment(self, segment: str, arm: Arm | None = None) -> "Rules":
        """The rules with the policy as it reads for a segment, and for an arm."""
        found = self._kept.get((segment, arm))
        if found is None:
            policy = self.policy.of(segment)
            policy = policy.plain if arm is Arm.HOLDOUT else policy
            found = self if policy is self.policy else replace(self, policy=policy)
            self._kept[segment, arm] = found
        return found


_VERDICTS_KEPT_MAX = 20_000
"""Codes, brands and countries are few, but a gateway may invent codes; at half a kilobyte each this is ten megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elder:
    """An older invoice of the same customer that is still being tried silently, and when its next step is due."""

    case_id: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One decline of a card, whoever tried it, in the gateway's and the network's own words."""

    at: datetime
    signals: Signals


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class CardUse:
    """What counts against the card the case would charge next, over all cases and whoever tried.

    ``refusals`` are its declines, on whichever case, since it last paid anything: a case itself knows the last one alone.
    ``elder`` is the oldest of the customer's older invoices that are still tried silently; ``siblings`` is how many other
    invoices of the customer have an open case. ``mailed`` is when emails to the customer were begun, over all cases; ``asked_why``
    whether the customer was asked why they left, or told it, in any of them; ``no_mail`` is why the customer gets none,
    whatever the case itself says.
    """

    budget_key: str
    uses: Sequence[Use]
    refusals: Sequence[Refusal] = ()
    elder: Elder | None = None
    siblings: int = 0
    mailed: tuple[datetime, ...] = ()
    asked_why: bool = False
    no_mail: str | None = None


NO_USE = CardUse(budget_key="", uses=())
