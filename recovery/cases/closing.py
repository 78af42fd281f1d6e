"""Keeps a case open until letters, charges and wishes had their turn. Without it a last notice that falls on a weekend would come after
the end."""

from dataclasses import replace
from datetime import datetime, timedelta

from recovery.cases.between import held_back
from recovery.cases.case import Case, Decision, Plan
from recovery.cases.customer import AFTER_WISH
from recovery.cases.lifecycle import StepKind
from recovery.cases.obligation import Obligation
from recovery.cases.rules import Rules

TIME_TO_ANSWER = timedelta(days=2)
"""How long after a letter the case stays open at least: who reads it tomorrow evening can still pay."""

LONGER_AT_MOST = timedelta(days=7)
"""How much longer than the policy says a case stays open for a letter: weekends and holds are over by then; a cap may take weeks."""

A_DAY = timedelta(days=1)


def kept_open(before: Case, decision: Decision, *, rules: Rules) -> Decision:
    """The decision with the case's end put off, if a letter that it plans would come after it or too shortly before."""
    case = decision.case
    if case.exhausted is None:
        return decision
    letter = _planned(decision, StepKind.SEND_EMAIL)
    if letter is None:
        return decision
    closing = _planned(decision, StepKind.CLOSE_CASE) or _waiting(before)
    wanted = letter + TIME_TO_ANSWER
    wait = held_back(case, rules) + timedelta(days=rules.policy.dunning.wait_days)
    latest = case.exhausted.at + wait + LONGER_AT_MOST
    if closing is None or closing >= wanted or wanted > latest:
        return decision
    others = tuple(plan for plan in decision.plan if plan.kind is not StepKind.CLOSE_CASE)
    reason = f"{decision.reason}; the case stays open until {wanted:%a %d %b} for that letter"
    return replace(decision, reason=reason, plan=(*others, Plan(kind=StepKind.CLOSE_CASE, due_at=wanted)))


def not_yet(case: Case, obligation: Obligation, *, now: datetime) -> Decision | None:
    """What keeps a case from being given up at its end; None when nothing does. A wish may come while the end is being performed."""
    if case.open_attempt is not None or obligation.pending:
        later, why = now + A_DAY, "a charge is still open"
    elif case.wished_at is not None and case.wished_at > now:
        later, why = case.wished_at + AFTER_WISH, f"the customer asked for a try on {case.wished_at:%d %b}"
    elif case.emails_sent == 0 and _letter_by(case, now + A_DAY):
        # Set aside for a person to look at, or the mail server is away: nobody is given up unasked.
        later, why = now + A_DAY, "the customer's first letter has not left"
    else:
        return None
    return Decision(case=case, reason=f"not closed yet: {why}", plan=(Plan(kind=StepKind.CLOSE_CASE, due_at=later),))


def _letter_by(case: Case, at: datetime) -> bool:
    """Whether a letter waits that was to have left by then, and not for a cap on its customer's letters, which may take weeks."""
    letter = case.step(StepKind.SEND_EMAIL)
    return letter is not None and letter.due_at <= at and not case.mail_stopped


def _planned(decision: Decision, kind: StepKind) -> datetime | None:
    return next((plan.due_at for plan in decision.plan if plan.kind is kind), None)


def _waiting(case: Case) -> datetime | None:
    step = case.step(StepKind.CLOSE_CASE)
    return None if step is None or step.in_flight else step.due_at
