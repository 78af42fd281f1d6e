"""The moment of firing: everything that was true at planning is checked again. Without it stale orders would charge people.

Still owed? Same amount? Same card, and not a dead one? Inside the window and the budgets? Is nobody else about to try?
"""

from dataclasses import replace
from datetime import datetime, timedelta

from recovery.cases import facts
from recovery.cases.case import Attempt, Case, Decision, Entry, Plan, Purpose
from recovery.cases.lifecycle import OPEN, AttemptStatus, EntryKind, Rule, State, StepKind
from recovery.cases.money_moves import ended_by_reading, part_entries
from recovery.cases.obligation import Obligation
from recovery.cases.planning import charge_fresh, exhaust, may_fire, next_silent
from recovery.cases.policy import RETRIED
from recovery.cases.rules import CardUse, Rules
from recovery.declines.signals import Card

GATEWAY_MARGIN = timedelta(hours=6)
"""How long after the gateway's own retry ours may come: its webhook needs time, and a card is not tried twice in a row."""

BUSY_RECHECK = timedelta(hours=1)
"""How soon to look again when a charge that is not ours is still pending."""


def card_refreshed(case: Case, fact: facts.CardRefreshed, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    """The card was read again: try fresh details at once, go on with the ladder, or find that only the customer can help."""
    read = _observed(case, fact.obligation, now=now)
    if isinstance(read, Decision):
        return read
    case, entries = read
    if case.state not in OPEN:
        return Decision(case=case, reason=f"the card was read again; the case has ended ({case.state.value})")
    case = replace(case, refreshes=case.refreshes + 1)
    if case.state is State.REVIEW:
        return Decision(case=case, reason="the card was read again; a person must still look", entries=entries)
    decision = _with_card(case, fact.card, now=now, rules=rules, usage=usage)
    return replace(decision, entries=entries + decision.entries)


def _with_card(case: Case, card: Card | None, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    if case.open_attempt is not None:
        return Decision(case=case, reason="the card was read again; an attempt is still open and decides what follows")
    if card is None:
        if case.state is State.DUNNING:
            return Decision(case=case, reason="no usable card is on file; the customer is asked already")
        detail = "no usable card is on file"
        return exhaust(
            replace(case, card=None), Rule.NO_CARD, now=now, rules=rules, why="card read again", detail=detail
        )
    fresh = not case.was_tried(card) and not case.is_dead(card)
    known = replace(case, card=card)
    if fresh:
        was = case.tried_card.brief() if case.tried_card else "none known"
        return charge_fresh(
            known, now=now, rules=rules, usage=usage, why=f"card read again: now {card.brief()}, was {was}"
        )
    if case.state is State.DUNNING:
        return Decision(case=known, reason="card read again: unchanged; the customer is asked already")
    planned = case.step(StepKind.CHARGE_CARD)
    # One in flight is no plan: it may be the very step that is being decided, and it ends with this decision.
    waits = planned is not None and not planned.in_flight
    if waits and planned is not None and case.verdict is not None and case.verdict.decline_class in RETRIED:
        return Decision(
            case=known, reason=f"card read again: unchanged; the try {planned.due_at:%d %b %H:%M} UTC stands"
        )
    return next_silent(known, now=now, rules=rules, usage=usage, why="card read again: unchanged")


def charge_due(case: Case, fact: facts.ChargeDue, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    """A try has come due: begin the attempt, or decide anew."""
    read = _observed(case, fact.obligation, now=now)
    if isinstance(read, Decision):
        return read
    case, entries = read
    if case.state not in OPEN:
        # It ended while the gateway was read: what was read is older than the end.
        return Decision(case=case, reason=f"not tried: the case has ended ({case.state.value})")
    decision = _fire(case, fact, now=now, rules=rules, usage=usage)
    return replace(decision, entries=entries + decision.entries)


def _fire(case: Case, fact: facts.ChargeDue, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    if case.state is State.REVIEW:
        return Decision(case=case, reason="not tried: a person must look first")
    busy = case.open_attempt
    if busy is not None:
        return Decision(case=case, reason=f"not tried: attempt {busy.number} is still open")
    other = fact.obligation.gateway_retry_at
    if other is not None and other > now:
        why = f"not tried: the gateway itself means to retry {other:%d %b %H:%M} UTC; its retries should be off"
        if case.state is State.SILENT and other + GATEWAY_MARGIN > case.horizon_at:
            detail = f"the gateway's own retry lies beyond the horizon of {rules.policy.horizon_days} days"
            return exhaust(case, Rule.HORIZON, now=now, rules=rules, why=why, detail=detail)
        later = (Plan(kind=StepKind.CHARGE_CARD, due_at=other + GATEWAY_MARGIN),)
        return Decision(case=case, reason=why, plan=later)
    if fact.obligation.pending:
        later = (Plan(kind=StepKind.CHARGE_CARD, due_at=now + BUSY_RECHECK),)
        return Decision(case=case, reason="not tried: another charge on the invoice is pending", plan=later)
    card = fact.card
    if card is None or case.is_dead(card):
        return _with_card(case, card, now=now, rules=rules, usage=usage)
    purpose = case.purpose_of(card)
    if purpose is Purpose.SILENT and case.state is State.DUNNING:
        return Decision(
            case=replace(case, card=card), reason="not tried: these details were tried; the customer is asked"
        )
    case = replace(case, card=card)
    forbidden = may_fire(case, purpose, now=now, rules=rules, usage=usage)
    if forbidden is not None:
        if purpose is Purpose.SILENT:
            return next_silent(case, now=now, rules=rules, usage=usage, why=f"not tried: {forbidden}")
        return charge_fresh(case, now=now, rules=rules, usage=usage, why=f"not tried: {forbidden}")
    return _begin(case, card, purpose, now=now)


def _begin(case: Case, card: Card, purpose: Purpose, *, now: datetime) -> Decision:
    number = len(case.attempts) + 1
    attempt = Attempt(
        id=f"{case.id}-{number}",
        number=number,
        card=card,
        amount=case.amount,
        started_at=now,
        purpose=purpose,
        status=AttemptStatus.IN_FLIGHT,
        decline_class=case.verdict.decline_class if case.verdict and purpose is Purpose.SILENT else None,
    )
    return Decision(
        case=replace(case, attempts=(*case.attempts, attempt)),
        reason=f"attempt {number}: {case.amount} on {card.brief()} ({purpose.value.replace('_', ' ')})",
        start=attempt,
    )


def _observed(case: Case, obligation: Obligation, *, now: datetime) -> Decision | tuple[Case, tuple[Entry, ...]]:
    """Take over what a fresh reading says: an end, or the amount that is owed now."""
    ended = ended_by_reading(case, obligation, now=now)
    if ended is not None:
        return ended
    parts = part_entries(case, obligation.succeeded)
    if obligation.remaining == case.amount:
        return case, parts
    change = Entry(
        kind=EntryKind.AT_RISK_CHANGED,
        amount=sum((part.amount for part in parts), obligation.remaining),
        occurred_at=now,
        ref=f"{case.obligation}:{now.isoformat()}",
    )
    return replace(case, amount=obligation.remaining), (change, *parts)
