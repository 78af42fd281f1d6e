"""What a fact means for a case. The one place where the next move is chosen; pure, so that every choice can be replayed.

Nothing here reads a clock, a file or a database: ``now``, the rules and the card's use are arguments.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from recovery.cases import answered, correcting, customer, facts, firing, leaving, letters, money_moves, regrouping
from recovery.cases.case import Case, Decision, Entry, Plan
from recovery.cases.closing import kept_open, not_yet
from recovery.cases.fresh_first import fresh_first, in_passing
from recovery.cases.keeping import keep_card
from recovery.cases.lifecycle import (
    DUNNING,
    MISSING_LOOKED_FOR,
    NEXT,
    OPEN,
    REVIEW,
    SILENT,
    EntryKind,
    Review,
    State,
    StepKind,
)
from recovery.cases.oddities import with_oddities
from recovery.cases.opening import opened_by
from recovery.cases.planning import exhaust, refresh_now, to_review
from recovery.cases.policy import RETRIED
from recovery.cases.postponing import bounded
from recovery.cases.rules import CardUse, Rules
from recovery.cases.showing import with_cards
from recovery.declines.signals import Signals
from recovery.sentences import Sentence, Told
from recovery.values import maker, replace

_decision, _plan, _entry = maker(Decision), maker(Plan), maker(Entry)


class BrokenInvariant(RuntimeError):
    """A case was about to become something it must never be; nothing is saved."""


def decide(case: Case, fact: facts.Fact, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    """What a fact leads to. Raises BrokenInvariant if the result breaks the lifecycle table."""
    if type(fact) is facts.PolicyMoved:
        case = regrouping.regrouped(case, rules)
    own = rules.for_case(case)
    decision: Decision = _HANDLERS[type(fact)](with_cards(case, fact), fact, now, own, usage)
    state = decision.case.state
    if state is DUNNING:
        decision = kept_open(case, decision, rules=own)
    elif state is not case.state and state not in OPEN:
        decision = regrouping.wake(decision, now=now, usage=usage)
        decision = keep_card(decision, now=now, rules=own)
        decision = leaving.asked_why(case, decision, now=now, rules=own)
    _check(case, decision)
    return decision


def _check(before: Case, decision: Decision) -> None:
    after = decision.case
    if after.state is not before.state and after.state not in NEXT[before.state]:
        raise BrokenInvariant(f"case {before.id}: {before.state} must not become {after.state}")
    if after.state is DUNNING and after.exhausted is None:
        raise BrokenInvariant(f"case {before.id} would ask the customer without being exhausted")
    if decision.email is not None:
        asks_why = decision.email == after.reason_mail and leaving.has_left(after)
        if after.exhausted is None or not (after.state is DUNNING or asks_why):
            raise BrokenInvariant(f"case {before.id} would write to the customer in state {after.state}")
    if decision.start is not None and before.open_attempt is not None:
        raise BrokenInvariant(f"case {before.id} would start a second attempt")
    if len(decision.plan) > 1 and len(decision.plan) != len({plan.kind for plan in decision.plan}):
        kinds = [plan.kind for plan in decision.plan]
        raise BrokenInvariant(f"case {before.id} would plan two steps of a kind: {kinds}")


def _payment_failed(case: Case, fact: facts.PaymentFailed, now: datetime, rules: Rules, _: CardUse) -> Decision:
    return in_passing(fact.obligation, _failure(case, fact, now=now, rules=rules), now=now, rules=rules)


def _failure(case: Case, fact: facts.PaymentFailed, *, now: datetime, rules: Rules) -> Decision:
    charge = fact.charge
    signals = charge.signals or Signals()
    verdict = rules.verdict(signals, charge.card, now)
    dead = correcting.dead_by(case, charge, verdict)
    opening = case.verdict is None
    known = opened_by(case, charge, verdict, dead) if opening else replace(case, dead_cards=dead)
    by = charge.initiator or "someone else"
    why: Told = Sentence(lambda: f"a charge by {by} failed ({signals.brief()})")
    if case.state not in OPEN:
        return Decision(case=known, reason=f"{why}; the case has ended")
    if not opening:
        if (
            verdict.wait_hours
            and verdict.decline_class in RETRIED
            and charge.card
            and case.card
            and charge.card.budget_key == case.card.budget_key  # a renewed expiry is the same card
            and charge.created_at + timedelta(hours=verdict.wait_hours) > _advised_until(case)
        ):
            known = replace(known, verdict=verdict, signals=signals, last_failure_at=charge.created_at)
            why = f"{why}; the network advises to wait {verdict.wait_hours} hours, which is checked before our next try"
        return Decision(case=known, reason=f"{why}; it counts against the card's budget, the plan stands")
    why = f"{why}; {rules.policy.holdout.brief(case.arm)}" if case.arm else why
    parts = money_moves.part_entries(known, fact.obligation.succeeded)
    entry = _entry(
        kind=EntryKind.AT_RISK,
        amount=sum((part.amount for part in parts), case.amount),
        occurred_at=case.failed_at,
        ref=case.obligation,
        charge_id=charge.id,
    )
    if not fact.obligation.pays_by_card:
        why = f"{why}; the payment is not by card, which is not supported"
        held = to_review(known, Review.NOT_BY_CARD, now=now, rules=rules, why=why)
        return replace(held, entries=(entry, *parts))
    return _decision(
        case=known,
        reason=Sentence(lambda: f"{why}; {verdict.brief()}; the card is read again first"),
        plan=(_plan(kind=StepKind.REFRESH_CARD, due_at=now),),
        entries=(entry, *parts),
    )


def _advised_until(case: Case) -> datetime:
    """When the wait ends that the network advised last; a shorter one told to somebody else meanwhile does not end it."""
    since, wait_hours = case.last_failure_at, case.verdict.wait_hours if case.verdict else 0
    return (since or case.failed_at) + timedelta(hours=wait_hours)


def _method_changed(case: Case, fact: facts.PaymentMethodChanged, now: datetime, _r: Rules, _u: CardUse) -> Decision:
    if case.state not in OPEN:
        return Decision(case=case, reason=f"{fact.what}; the case has ended")
    return refresh_now(correcting.noted(case, fact), now=now, why=f"{fact.what}; the card is read again at once")


def _email_due(case: Case, fact: facts.EmailDue, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    if usage.no_mail is not None:
        return customer.unwanted(case, fact.obligation, usage.no_mail, now=now)
    due = leaving.reason_due if fact.asks_why else letters.email_due
    return due(case, fact, now=now, rules=rules, usage=usage)


def _email_sent(case: Case, fact: facts.EmailSent, now: datetime, rules: Rules, _usage: CardUse) -> Decision:
    if leaving.is_reason(case, fact.email_id):
        return leaving.reason_sent(case, fact)
    return letters.email_sent(case, fact, now=now, rules=rules)


def _email_refused(case: Case, fact: facts.EmailRefused, now: datetime, rules: Rules, _usage: CardUse) -> Decision:
    refused = leaving.reason_refused if leaving.is_reason(case, fact.email_id) else letters.email_refused
    return refused(case, fact, now=now, rules=rules)


def _date_wished(case: Case, fact: facts.DateWished, now: datetime, rules: Rules, _usage: CardUse) -> Decision:
    return customer.date_wished(case, fact, now=now, rules=rules)


def _customer_left(case: Case, fact: facts.CustomerLeft, now: datetime, _rules: Rules, _usage: CardUse) -> Decision:
    return customer.customer_left(case, fact, now=now)


def _mail_stopped(case: Case, fact: facts.MailStopped, _now: datetime, _rules: Rules, _usage: CardUse) -> Decision:
    return customer.mail_stopped(case, fact)


def _mail_resumed(case: Case, _fact: facts.MailResumed, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    return customer.mail_resumed(case, now=now, rules=rules, usage=usage)


def _escalation_due(case: Case, _f: facts.EscalationDue, now: datetime, rules: Rules, _usage: CardUse) -> Decision:
    if case.state is not REVIEW:
        return Decision(case=case, reason=f"nothing to escalate: the case is {case.state.value}")
    again = now + timedelta(days=rules.policy.review_days)
    count = case.escalations + 1
    return Decision(
        case=replace(case, escalations=count),
        reason=f"nobody decided yet: escalated (time {count}), again {again:%d %b}",
        plan=(Plan(kind=StepKind.ESCALATE, due_at=again),),
    )


def _close_due(case: Case, fact: facts.CloseDue, now: datetime, rules: Rules, _usage: CardUse) -> Decision:
    ended = money_moves.ended_by_reading(case, fact.obligation, now=now)
    if ended is not None:
        return ended
    if case.state is not DUNNING:
        return Decision(case=case, reason=f"not closed: the case is {case.state.value}")
    waits = not_yet(case, fact.obligation, now=now)
    waits = waits or fresh_first(case, fact.obligation, StepKind.CLOSE_CASE, now=now, rules=rules)
    return waits or money_moves.lose(case, now=now, why="the customer's time is over and nothing was paid")


def _missing(case: Case, fact: facts.ObligationMissing, now: datetime, rules: Rules, _usage: CardUse) -> Decision:
    attempt = case.open_attempt
    why = f"the gateway does not know the invoice any more ({fact.detail})"
    again: tuple[Plan, ...] = ()
    if attempt is not None and now < attempt.started_at + MISSING_LOOKED_FOR:
        again = (Plan(kind=StepKind.SETTLE_ATTEMPT, due_at=now + timedelta(days=1)),)
    if case.state not in OPEN:
        return Decision(case=case, reason=f"{why}; the case has ended", plan=again)
    if case.state is REVIEW:
        return Decision(case=case, reason=f"{why}; a person must still look", plan=again)
    held = to_review(case, Review.GONE, now=now, rules=rules, why=why)
    return replace(held, plan=held.plan + again)


def _person_decided(case: Case, fact: facts.PersonDecided, now: datetime, rules: Rules, _: CardUse) -> Decision:
    why = f"a person decided: {fact.note}"
    if case.state not in OPEN:
        return Decision(case=case, reason=f"{why}; the case has ended already")
    if fact.to is State.LOST:
        return money_moves.lose(case, now=now, why=why)
    if fact.to is State.WITHDRAWN:
        return money_moves.withdraw(case, now=now, why=why)
    if case.state is not REVIEW:
        return Decision(case=case, reason=f"{why}; the case needs no review, its plan stands")
    case = replace(case, review=None)
    if case.exhausted is not None:
        held = case.exhausted
        return exhaust(case, held.rule, now=now, rules=rules, why=why, detail=held.detail)
    resumed = replace(case, state=SILENT)
    refreshed = refresh_now(resumed, now=now, why=f"{why}; the card is read again, then the case goes on")
    return replace(refreshed, cancel=frozenset({StepKind.ESCALATE}))


def _card_refreshed(case: Case, fact: facts.CardRefreshed, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    return with_oddities(case, fact, firing.card_refreshed(case, fact, now=now, rules=rules, usage=usage))


def _card_kept(case: Case, fact: facts.CardKept, _now: datetime, _rules: Rules, _usage: CardUse) -> Decision:
    done = "is the subscription's own now" if fact.refused is None else f"could not be kept: {fact.refused}"
    return Decision(case=case, reason=f"the card that paid ({fact.payment_method}) {done}")


def _charge_due(case: Case, fact: facts.ChargeDue, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    decision = firing.charge_due(case, fact, now=now, rules=rules, usage=usage)
    return with_oddities(case, fact, bounded(case, decision, now=now, rules=rules))


def _attempt_answered(case: Case, fact: facts.AttemptAnswered, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    return answered.attempt_answered(case, fact, now=now, rules=rules, usage=usage)


def _lease_lapsed(case: Case, fact: facts.LeaseLapsed, now: datetime, rules: Rules, _usage: CardUse) -> Decision:
    return answered.lease_lapsed(case, fact, now=now, rules=rules)


def _sibling_recovered(
    case: Case, fact: facts.SiblingRecovered, now: datetime, rules: Rules, usage: CardUse
) -> Decision:
    return regrouping.sibling_recovered(case, fact, now=now, rules=rules, usage=usage)


def _policy_moved(case: Case, fact: facts.PolicyMoved, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    return regrouping.policy_moved(case, fact, now=now, rules=rules, usage=usage)


def _part_paid(case: Case, fact: facts.PartPaid, now: datetime, rules: Rules, _usage: CardUse) -> Decision:
    return in_passing(fact.obligation, money_moves.apply(case, fact), now=now, rules=rules)


def _moves(case: Case, fact: facts.Fact, _now: datetime, _rules: Rules, _usage: CardUse) -> Decision:
    return money_moves.apply(case, fact)


_HANDLERS: dict[type, Callable[..., Decision]] = {
    facts.PaymentFailed: _payment_failed,
    facts.AttemptAnswered: _attempt_answered,
    facts.LeaseLapsed: _lease_lapsed,
    facts.CardRefreshed: _card_refreshed,
    facts.CardKept: _card_kept,
    facts.ChargeDue: _charge_due,
    facts.InvoicePaid: _moves,
    facts.PartPaid: _part_paid,
    facts.InvoiceVoided: _moves,
    facts.InvoiceWrittenOff: _moves,
    facts.SubscriptionCancelled: _moves,
    facts.PaymentRefunded: _moves,
    facts.DisputeOpened: _moves,
    facts.DisputeClosed: _moves,
    facts.FeeCharged: _moves,
    facts.PaymentMethodChanged: _method_changed,
    facts.EmailDue: _email_due,
    facts.EmailSent: _email_sent,
    facts.EmailRefused: _email_refused,
    facts.DateWished: _date_wished,
    facts.CustomerLeft: _customer_left,
    facts.MailStopped: _mail_stopped,
    facts.MailResumed: _mail_resumed,
    facts.EscalationDue: _escalation_due,
    facts.CloseDue: _close_due,
    facts.ObligationMissing: _missing,
    facts.PersonDecided: _person_decided,
    facts.SiblingRecovered: _sibling_recovered,
    facts.PolicyMoved: _policy_moved,
}
