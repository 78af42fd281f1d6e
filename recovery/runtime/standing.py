"""What a case stands on: policy, editions, what is left of each budget, and the schedule to come. One answer for terminal and page."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from recovery.cases.asking import issuer_window
from recovery.cases.case import Case
from recovery.cases.project import Projection, project_from
from recovery.engine.door import RuleBook
from recovery.storage.card_store import card_use
from recovery.storage.case_queries import timeline
from recovery.timing.budgets import counted_uses


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What is left under one cap of the network that governs the card."""

    used: int
    tries_max: int
    span: str

    def brief(self) -> str:
        """ "17 of 20 in 30 days left"."""
        return f"{max(self.tries_max - self.used, 0)} of {self.tries_max} in {self.span} left"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStanding:
    """The rules of a case as they are now. ``to_come`` is what would still be tried if every try failed as the last did."""

    policy: str
    segment: str
    zone: str
    zone_is_own: bool
    edition: str
    source: str
    budgets: tuple[Budget, ...]
    to_come: Projection | None


def standing_of(tx: Connection, rulebook: RuleBook, case: Case, *, now: datetime) -> CaseStanding:
    """Look everything up, under the policy the case is pinned on and the network edition in force now."""
    rules = rulebook.rules_for(tx, case.policy)
    usage = card_use(tx, case.card.budget_key if case.card else None, now=now)
    brand, country = (case.card.brand, case.card.country) if case.card else (None, None)
    pack = rules.networks.in_force(brand, now, country)
    window = issuer_window(case, rules, None)
    told = timeline(tx, case.id)
    budgets = tuple(
        Budget(
            used=sum(
                1
                for at in counted_uses(cap, usage.uses, case.amount)
                if (now - at).total_seconds() < cap.window_hours * 3600
            ),
            tries_max=cap.tries_max,
            span=cap.span,
        )
        for cap in pack.caps
    )
    return CaseStanding(
        policy=case.policy,
        segment=case.segment,
        zone=window.zone,
        zone_is_own=window.zone == case.zone,
        edition=pack.name(),
        source=pack.source,
        budgets=budgets,
        to_come=project_from(case, rules, usage, now=now, because=told[-1].reason if told else "as planned"),
    )
