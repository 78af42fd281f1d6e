"""What a case stands on: policy, editions, what is left of each budget, and the schedule to come. One answer for terminal and page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from recovery.cases.asking import issuer_window
from recovery.cases.case import Case
from recovery.cases.project import Projection, project_from
from recovery.engine.door import RuleBook
from recovery.storage.card_store import card_use
from recovery.storage.case_queries import JournalLine, timeline
from recovery.timing.budgets import Left, remaining


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStanding:
    """The rules of a case as they are now. ``to_come`` is what would still be tried if every try failed as the last did."""

    policy: str
    segment: str
    zone: str
    zone_is_own: bool
    edition: str
    source: str
    budgets: tuple[Left, ...]
    to_come: Projection | None


def standing_of(tx: Connection, rulebook: RuleBook, case: Case, *, now: datetime) -> CaseStanding:
    """Look everything up, under the policy the case is pinned on and the network edition in force now."""
    rules = rulebook.rules_for(tx, case.policy)
    usage = card_use(tx, case.card.budget_key if case.card else None, now=now)
    brand, country = (case.card.brand, case.card.country) if case.card else (None, None)
    pack = rules.networks.in_force(brand, now, country)
    window = issuer_window(case, rules, None)
    told = timeline(tx, case.id)
    return CaseStanding(
        policy=case.policy,
        segment=case.segment,
        zone=window.zone,
        zone_is_own=window.zone == case.zone,
        edition=pack.name(),
        source=pack.source,
        budgets=remaining(pack, uses=usage.uses, amount=case.amount, at=now),
        to_come=project_from(case, rules, usage, now=now, because=_planned_because(told)),
    )


def _planned_because(told: Sequence[JournalLine]) -> str:
    """The reason of the decision that looked for the planned slot last: news that changed nothing may have come since."""
    looked = [line for line in told if line.grounds is not None and line.grounds.banks is not None]
    newest = looked or told
    return newest[-1].reason if newest else "as planned"
