"""The moment of firing: everything that was true at planning is checked again. Without it stale orders would charge people.

Still owed? Same amount? Same card, and not a dead one? Inside the window and the budgets? Is nobody else about to try?
"""

from datetime import datetime, timedelta

from recovery.cases import facts
from recovery.cases.between import purpose_between
from recovery.cases.case import SILENT_TRY, Attempt, Case, Decision, Entry, Plan, Purpose
from recovery.cases.choosing import is_untried, needs_agreement, next_card, noticed, turned_to
from recovery.cases.correcting import revived
from recovery.cases.customer import after_wish
from recovery.cases.lifecycle import DUNNING, OPEN, REVIEW, SILENT, AttemptStatus, Rule, StepKind
from recovery.cases.money_moves import at_risk_is, ended_by_reading, part_entries, total_of
from recovery.cases.obligation import Obligation
from recovery.cases.planning import charge_fresh, exhaust, may_fire, next_silent, spent
from recovery.cases.policy import RETRIED
from recovery.cases.refusals import buried
from recovery.cases.resuming import resumed
from recovery.cases.rules import CardUse, Elder, Rules
from recovery.cases.updating import Closed, ContactCardholder, compared, told
from recovery.declines.signals import Card
from recovery.sentences import Sentence
from recovery.timing.slots import Slot
from recovery.values import maker, replace

_attempt, _decision = maker(Attempt), maker(Decision)

GATEWAY_MARGIN = timedelta(hours=6)
"""How long after the gateway's own retry ours may come: its webhook needs time, and a card is not tried twice in a row."""

BEHIND_ELDER = timedelta(hours=1)
"""How long after the step of an older sibling invoice ours comes: the elder's answer must be there by then."""

BUSY_RECHECK = timedelta(hours=1)
"""How soon to look again when a charge that is not ours is still pending."""


def card_refreshed(case: Case, fact: facts.CardRefreshed, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    """The card was read again: try fresh details at once, go on with the ladder, or find that only the customer can help."""
    if isinstance(fact.updater, Closed) and fact.asked is not None:
        case = _closed(case, fact.asked)  # for the customer's other invoices too, however this one ends
    read = _observed(case, fact.obligation, now=now)
    if isinstance(read, Decision):
        return read
    case, entries = read
    if case.state not in OPEN:
        return Decision(case=case, reason=f"the card was read again; the case has ended ({case.state.value})")
    case = noticed(replace(case, refreshes=case.refreshes + 1), fact, now=now, rules=rules)
    card = next_card(case, fact.card, rules.policy)
    if case.state is REVIEW:
        held = Decision(case=case, reason="the card was read again; a person must still look")
        goes_on = resumed(case, card, now=now, rules=rules, usage=usage) or held
        return replace(goes_on, entries=entries + goes_on.entries)
    if card is not None and case.open_attempt is None:
        case = turned_to(case, card, fact.obligation.charges, now=now, rules=rules)
        case = buried(case, card, usage, rules, now=now)
    decision = _by_updater(case, card, fact, now=now, rules=rules)
    decision = decision or _with_card(case, card, now=now, rules=rules, usage=usage)
    return replace(decision, entries=entries + decision.entries) if entries else decision


def _with_card(case: Case, card: Card | None, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    if case.open_attempt is not None:
        return Decision(case=case, reason="the card was read again; an attempt is still open and decides what follows")
    if card is None:
        if case.state is DUNNING:
            return Decision(case=case, reason="no usable card is on file; the customer is asked already")
        detail = "no usable card is on file"
        return spent(replace(case, card=None), Rule.NO_CARD, now=now, rules=rules, why="card read again", detail=detail)
    known = _on(case, card)
    if needs_agreement(case, card, rules.policy):
        return _without_agreement(known, card, now=now, rules=rules)
    if is_untried(case, card):
        anew = "its billing address was corrected" if revived(case, card) else None
        why = Sentence(lambda: f"card read again: {anew or told(compared(case.tried_card, card, case.wallet))}")
        return charge_fresh(known, now=now, rules=rules, usage=usage, why=why)
    if case.state is DUNNING:
        return Decision(case=known, reason="card read again: unchanged; the customer is asked already")
    planned = case.step(StepKind.CHARGE_CARD)
    # One in flight is no plan: it may be the very step that is being decided, and it ends with this decision.
    waits = planned is not None and not planned.in_flight
    if waits and planned is not None and case.verdict is not None and case.verdict.decline_class in RETRIED:
        stands = Sentence(lambda: f"card read again: unchanged; the try {planned.due_at:%d %b %H:%M} UTC stands")
        return Decision(case=known, reason=stands)
    return next_silent(known, now=now, rules=rules, usage=usage, why="card read again: unchanged")


def _closed(case: Case, card: Card) -> Case:
    """Not merely the entry is dead, which may be known already: the account behind it."""
    return case if card in case.dead_cards else replace(case, dead_cards=(*case.dead_cards, card))


def _by_updater(
    case: Case, card: Card | None, fact: facts.CardRefreshed, *, now: datetime, rules: Rules
) -> Decision | None:
    """What the updater's answer about the card that is next ends, unless there is something new to charge all the same."""
    if not isinstance(fact.updater, Closed | ContactCardholder) or card is None or not card.same_details(fact.asked):
        return None
    if case.state is not SILENT or case.open_attempt is not None or is_untried(case, card):
        return None
    why = f"the updater was asked about {card.brief()}"
    return spent(_on(case, card), Rule.ONLY_CUSTOMER, now=now, rules=rules, why=why, detail=told(fact.updater))


def _without_agreement(case: Case, card: Card, *, now: datetime, rules: Rules) -> Decision:
    before = case.brand_before(card)
    found = f"it was {before} and is {card.brand} now" if before else f"now {card.brief()}, issued in {card.country}"
    why = f"card read again: {found}"
    if case.state is DUNNING:
        return Decision(case=case, reason=f"{why}; that needs the customer's agreement; the customer is asked already")
    detail = (
        "after a change of brand a charge without the customer needs a new agreement"
        if before
        else "cards issued there are not charged without the customer"
    )
    return spent(case, Rule.ONLY_CUSTOMER, now=now, rules=rules, why=why, detail=detail)


def charge_due(case: Case, fact: facts.ChargeDue, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    """A try has come due: begin the attempt, or decide anew."""
    read = _observed(case, fact.obligation, now=now)
    if isinstance(read, Decision):
        return read
    case, entries = read
    case = noticed(case, fact, now=now, rules=rules)
    if case.state not in OPEN:
        # It ended while the gateway was read: what was read is older than the end.
        return Decision(case=case, reason=f"not tried: the case has ended ({case.state.value})")
    decision = _fire(case, fact, now=now, rules=rules, usage=usage)
    return replace(decision, entries=entries + decision.entries) if entries else decision


def _on(case: Case, card: Card) -> Case:
    """The case with the card that its next charge would use."""
    return case if case.card == card else replace(case, card=card)


def _fire(case: Case, fact: facts.ChargeDue, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    waits = _in_the_way(case, fact.obligation, now=now, rules=rules)
    if waits is not None:
        return waits
    card = next_card(case, fact.card, rules.policy)
    if card is not None:
        case = turned_to(case, card, fact.obligation.charges, now=now, rules=rules)
        case = buried(case, card, usage, rules, now=now)
    if card is None or case.is_dead(card) or needs_agreement(case, card, rules.policy):
        return _with_card(case, card, now=now, rules=rules, usage=usage)
    purpose, case = case.purpose_of(card), _on(case, card)
    if purpose is SILENT_TRY:
        if case.state is DUNNING:
            return _fire_between(case, card, now=now, rules=rules, usage=usage)
        case = _judged_anew(case, now=now, rules=rules)
        held = _held_back(case, card, now=now, rules=rules, usage=usage)
        if held is not None:
            return held
    slot = may_fire(case, purpose, now=now, rules=rules, usage=usage)
    if isinstance(slot, str):
        if purpose is SILENT_TRY:
            return next_silent(case, now=now, rules=rules, usage=usage, why=f"not tried: {slot}")
        return charge_fresh(case, now=now, rules=rules, usage=usage, why=f"not tried: {slot}")
    return _begin(case, card, purpose, slot=slot, now=now)


def _fire_between(case: Case, card: Card, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    """A try on unchanged details while the customer is asked: on a payday, or on the day that the customer chose."""
    case = _judged_anew(case, now=now, rules=rules)
    purpose = purpose_between(case, now=now, rules=rules)
    if purpose is None:
        case, letter = after_wish(case, now=now, rules=rules)
        # This try may have taken the place of the one that the customer asked for.
        wished = Plan(kind=StepKind.CHARGE_CARD, due_at=case.wished_at) if case.wished_at is not None else None
        plan = tuple(each for each in (letter, wished) if each is not None)
        return Decision(case=case, reason="not tried: these details were tried; the customer is asked", plan=plan)
    slot = may_fire(case, purpose, now=now, rules=rules, usage=usage)
    if isinstance(slot, str):
        return charge_fresh(case, now=now, rules=rules, usage=usage, why=f"not tried: {slot}")
    return _begin(case, card, purpose, slot=slot, now=now)


def _in_the_way(case: Case, obligation: Obligation, *, now: datetime, rules: Rules) -> Decision | None:
    """What forbids any try on the invoice now: a person's turn, an open attempt, or somebody else who tries."""
    if case.state is REVIEW:
        return Decision(case=case, reason="not tried: a person must look first")
    busy = case.open_attempt
    if busy is not None:
        return Decision(case=case, reason=f"not tried: attempt {busy.number} is still open")
    other = obligation.gateway_retry_at
    if other is not None and other + GATEWAY_MARGIN > now:  # one that has just come due may be on its way, or late
        why = f"not tried: the gateway itself means to retry {other:%d %b %H:%M} UTC; its retries should be off"
        if case.state is SILENT and other + GATEWAY_MARGIN > case.horizon_at:
            detail = f"the gateway's own retry lies beyond the horizon of {rules.policy.horizon_days} days"
            return exhaust(case, Rule.HORIZON, now=now, rules=rules, why=why, detail=detail)
        later = (Plan(kind=StepKind.CHARGE_CARD, due_at=other + GATEWAY_MARGIN),)
        return Decision(case=case, reason=why, plan=later)
    if obligation.pending:
        later = (Plan(kind=StepKind.CHARGE_CARD, due_at=now + BUSY_RECHECK),)
        return Decision(case=case, reason="not tried: another charge on the invoice is pending", plan=later)
    return None


def _held_back(case: Case, card: Card, *, now: datetime, rules: Rules, usage: CardUse) -> Decision | None:
    """What keeps a silent try from going out: a decline that is final by now, or an older invoice; None when nothing does."""
    if case.is_dead(card):
        assert case.verdict is not None
        why = f"not tried: {case.verdict.brief()}, by the edition now in force"
        return next_silent(case, now=now, rules=rules, usage=usage, why=why)
    if case.state is SILENT and usage.elder is not None:
        return _behind(case, usage.elder, now=now, rules=rules)
    return None


def _judged_anew(case: Case, *, now: datetime, rules: Rules) -> Case:
    """The last decline under the network's edition in force now: it may have become one that is never tried again, or not so soon."""
    if case.signals is None or case.verdict is None or case.tried_card is None:
        return case
    verdict = rules.verdict(case.signals, case.tried_card, now)
    if verdict == case.verdict:
        return case
    return replace(case, verdict=verdict, dead_cards=case.dead_after(case.tried_card, verdict))


def _behind(case: Case, elder: Elder, *, now: datetime, rules: Rules) -> Decision:
    """The customer's invoices are tried oldest first."""
    due_at = max(now, elder.due_at or now) + BEHIND_ELDER
    why = f"not tried: the customer's older invoice goes first ({elder.case_id})"
    if due_at > case.horizon_at:
        detail = f"the next turn ({due_at:%d %b %H:%M} UTC) lies beyond the horizon of {rules.policy.horizon_days} days"
        return exhaust(case, Rule.HORIZON, now=now, rules=rules, why=why, detail=detail)
    return Decision(
        case=case,
        reason=f"{why}; ours again {due_at:%d %b %H:%M} UTC",
        plan=(Plan(kind=StepKind.CHARGE_CARD, due_at=due_at),),
    )


def _begin(case: Case, card: Card, purpose: Purpose, *, slot: Slot, now: datetime) -> Decision:
    number = len(case.attempts) + 1
    attempt = _attempt(
        id=f"{case.id}-{number}",
        number=number,
        card=card,
        amount=case.amount,
        started_at=now,
        purpose=purpose,
        status=AttemptStatus.IN_FLIGHT,
        decline_class=case.verdict.decline_class if case.verdict and purpose is SILENT_TRY else None,
        zone=slot.zone,
    )

    def reason() -> str:
        hours = slot.question.window.at(now)
        what = f"{case.amount} on {card.brief()} ({purpose.value.replace('_', ' ')})"
        return f"attempt {number}: {what}, in {hours.name} (risk {hours.weight:g})"

    return _decision(
        case=replace(case, attempts=(*case.attempts, attempt)),
        reason=Sentence(reason),
        start=attempt,
        slot=slot,
    )


def _observed(case: Case, obligation: Obligation, *, now: datetime) -> Decision | tuple[Case, tuple[Entry, ...]]:
    """Take over what a fresh reading says: an end, or the amount that is owed now."""
    ended = ended_by_reading(case, obligation, now=now)
    if ended is not None:
        return ended
    parts = part_entries(case, obligation.succeeded)
    if obligation.remaining == case.amount:
        return case, parts
    change = at_risk_is(case, total_of(parts, obligation.remaining), at=now)
    return replace(case, amount=obligation.remaining), (change, *parts)
