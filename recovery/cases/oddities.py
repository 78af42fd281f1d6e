"""What a gateway told that was missing or meant nothing, in the case's own story. Without it a tolerated gap would be a hidden one."""

from dataclasses import replace
from typing import TYPE_CHECKING

from recovery.cases.case import Case, Decision

if TYPE_CHECKING:
    from recovery.cases.facts import CardRefreshed, ChargeDue


def with_oddities(case: Case, fact: "ChargeDue | CardRefreshed", decision: Decision) -> Decision:
    """The decision, its reason followed by what was odd in the reading it rests on; said once, until a reading differs."""
    cards, said = fact.cards, fact.odd
    if cards == case.wallet and not (said and case.refreshes <= 1):
        return decision
    known = {kept.card.payment_method: kept.odd for kept in case.wallet}
    fresh = (kept for kept in cards if kept.odd and known.get(kept.card.payment_method) != kept.odd)
    words = [*said, *(f"{kept.card.brief()}: {', '.join(kept.odd)}" for kept in fresh)]
    if not words:
        return decision
    return replace(decision, reason=f"{decision.reason}; odd at the gateway: {'; '.join(words)}")
