"""Asks who was lost or cancelled once for the reason. Without it a merchant would learn how many left, and never why.

The question is an email like the others: only after exhaustion, at a decent hour, within the cap. It asks for no money, so that what is
paid after it is nobody's merit.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from recovery.cases import facts, money_moves
from recovery.cases.between import decent_at
from recovery.cases.case import Case, Decision, Plan
from recovery.cases.letters import allowed_at
from recovery.cases.lifecycle import OPEN, State, StepKind
from recovery.cases.obligation import ObligationStatus
from recovery.cases.rules import CardUse, Rules

TEMPLATE = "leaving"
"""The text of the question."""

LEFT = frozenset({State.LOST, State.WITHDRAWN})


def has_left(case: Case) -> bool:
    """Whether the customer was lost or has cancelled; what the merchant took back is no customer's choice."""
    return case.state is State.LOST or (case.state is State.WITHDRAWN and case.cancelled)


def asked_why(before: Case, decision: Decision, *, now: datetime, rules: Rules) -> Decision:
    """The end of a case plans the question, in the same commit, where policy wants it asked."""
    after, dunning = decision.case, rules.policy.dunning
    if before.state not in OPEN or not dunning.ask_reason_by_email or _needless(after) is not None:
        return decision
    due_at = decent_at(after, rules, now + timedelta(days=dunning.ask_reason_after_days))
    return replace(
        decision,
        case=replace(after, letter_tries=0),
        reason=f"{decision.reason}; they are asked for the reason {due_at:%a %d %b %H:%M} UTC",
        plan=(*decision.plan, Plan(kind=StepKind.ASK_REASON, due_at=due_at)),
    )


def _needless(case: Case) -> str | None:
    """Why the case brings no question, or None when it may."""
    if not has_left(case):
        return f"the case is {case.state.value}"
    if case.exhausted is None:
        return "the customer was never asked for anything"
    if case.mail_stopped:
        return "the customer is not to be written to any more"
    if case.left_because is not None:
        return "the customer told it already"
    return None if case.reason_mail is None else "it was asked already"


def reason_due(case: Case, fact: facts.EmailDue, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    """The question has come due: ask it, let it wait, or find that it is not needed any more."""
    if fact.obligation.status is ObligationStatus.PAID:
        return money_moves.paid(case, fact.obligation.succeeded, at=fact.obligation.paid_at or now)
    needless = _needless(case)
    if needless is None and not fact.page:
        needless = "there is no page of ours that could take the answer"
    if needless is None and usage.asked_why:
        needless = "the customer was asked, or told it, about another payment"
    if needless is not None:
        return Decision(case=case, reason=f"not asked for the reason: {needless}")
    decent = max(
        decent_at(case, rules, now), decent_at(case, rules, allowed_at(rules.policy.dunning, usage.mailed, now))
    )
    if decent > now:
        later = Plan(kind=StepKind.ASK_REASON, due_at=decent)
        return Decision(case=case, reason=f"the question waits until {decent:%a %d %b %H:%M} UTC", plan=(later,))
    number = case.email_tries + 1
    assert case.exhausted is not None
    return Decision(
        case=replace(case, email_tries=number, letter_tries=case.letter_tries + 1, reason_mail=number),
        reason=f"the customer is asked why they left; silent options were exhausted {case.exhausted.at:%d %b %H:%M} UTC by the "
        f"rule {case.exhausted.rule.value}",
        email=number,
        template=TEMPLATE,
    )


def is_reason(case: Case, email_id: str) -> bool:
    """Whether an email is the question."""
    return case.reason_mail is not None and email_id.rpartition("-")[2] == str(case.reason_mail)


def reason_sent(case: Case, fact: facts.EmailSent) -> Decision:
    """The question is gone, or may be; it is asked once."""
    how = "may have arrived and is not sent again" if fact.ambiguous else "was accepted"
    return Decision(case=case, reason=f"email {fact.email_id}, the question for the reason, {how}")


def reason_refused(case: Case, fact: facts.EmailRefused, *, now: datetime, rules: Rules) -> Decision:
    """The question did not go: again later, while the policy's number of tries lasts."""
    dunning, why = rules.policy.dunning, f"the question for the reason was refused ({fact.detail})"
    if fact.permanent:
        return Decision(case=replace(case, mail_stopped=True), reason=f"{why} for good")
    unasked = replace(case, reason_mail=None)
    if case.letter_tries >= dunning.email_tries_max:
        return Decision(case=case, reason=f"{why} {case.letter_tries} times; it is left out")
    again = decent_at(case, rules, now + timedelta(hours=dunning.email_retry_hours))
    later = Plan(kind=StepKind.ASK_REASON, due_at=again)
    return Decision(case=unasked, reason=f"{why}; tried again {again:%d %b %H:%M} UTC", plan=(later,))
