"""What the gateway's answer to an attempt leads to. Without it a timeout could become a second charge."""

from datetime import datetime, timedelta

from recovery.cases import correcting, facts
from recovery.cases.answers import (
    AlreadySettled,
    Answer,
    Declined,
    Misconfigured,
    NeedsCustomer,
    NotSent,
    Processing,
    Succeeded,
    Unknown,
)
from recovery.cases.between import next_between
from recovery.cases.case import Attempt, Case, Decision, Plan, Purpose
from recovery.cases.choosing import fresh_waits
from recovery.cases.customer import after_wish
from recovery.cases.lifecycle import (
    DUNNING,
    OPEN,
    OPEN_ATTEMPTS,
    REVIEW,
    SILENT,
    AttemptStatus,
    Review,
    State,
    StepKind,
)
from recovery.cases.money_moves import paid
from recovery.cases.planning import next_silent, refresh_now, to_review
from recovery.cases.rules import CardUse, Rules
from recovery.declines.classify import NEEDS_FRESH_CARD, Verdict
from recovery.declines.signals import Signals
from recovery.sentences import Sentence, Told
from recovery.values import replace

_REFUSALS = (Declined, NeedsCustomer)
_SETTLED = frozenset({StepKind.SETTLE_ATTEMPT})

PROCESSING_RECHECK = timedelta(hours=1)
"""How often an accepted but undecided charge is looked at again, should its webhook never come."""

MISCONFIGURED_RECHECK = timedelta(hours=1)
"""How long after our key was refused a case is tried again; charging as a whole stays halted until a person resumes it."""


def attempt_answered(
    case: Case, fact: facts.AttemptAnswered, *, now: datetime, rules: Rules, usage: CardUse
) -> Decision:
    """Apply an answer to its attempt and decide what follows. A case that has ended only records it."""
    attempt = case.attempt(fact.attempt_id)
    answer = fact.answer
    if isinstance(answer, Succeeded):
        charge = replace(answer.charge, idempotency_key=attempt.id)
        return paid(case, (charge,), at=charge.brought_at)
    if attempt.status not in OPEN_ATTEMPTS and not isinstance(answer, _REFUSALS):
        return Decision(case=case, reason=f"attempt {attempt.number}: {_brief(answer)}; it was closed already")
    if isinstance(answer, Unknown) and attempt.status is AttemptStatus.PROCESSING:
        # Its worker was slow: meanwhile the charge was found, and is looked at again.
        return Decision(
            case=case, reason=f"attempt {attempt.number}: {_brief(answer)}; it was accepted, its outcome comes later"
        )
    was_open = attempt.status in OPEN_ATTEMPTS
    case = _recorded(case, attempt, answer, now=now, rules=rules)
    why = Sentence(lambda: f"attempt {attempt.number}: {_brief(answer)}")
    if isinstance(answer, Unknown):
        hold = (Plan(kind=StepKind.SETTLE_ATTEMPT, due_at=now, hold_seconds=rules.settle_seconds),)
        return Decision(
            case=case,
            reason=f"{why}; what became of it is read at the gateway before anything else",
            plan=hold,
        )
    if isinstance(answer, Processing):
        check = (Plan(kind=StepKind.SETTLE_ATTEMPT, due_at=now + PROCESSING_RECHECK),)
        return Decision(case=case, reason=f"{why}; looked at again in an hour", plan=check)
    if case.state not in OPEN:
        # Somebody else may have paid, which nobody could tell while this was open: an end without money is not the last word.
        look = (Plan(kind=StepKind.REFRESH_CARD, due_at=now),) if case.state is not State.RECOVERED else ()
        return Decision(case=case, reason=f"{why}; the case has ended", plan=look, cancel=_SETTLED)
    if not was_open and case.open_attempt is not None:
        return Decision(case=case, reason=f"{why}; a newer attempt is open and decides")
    followed = _follow(case, attempt, answer, now=now, rules=rules, usage=usage, why=why)
    return replace(followed, cancel=followed.cancel | _SETTLED)


def lease_lapsed(case: Case, fact: facts.LeaseLapsed, *, now: datetime, rules: Rules) -> Decision:
    """The worker is gone: the attempt is never performed again, it is settled by reading."""
    attempt = case.attempt(fact.attempt_id)
    if attempt.status is not AttemptStatus.IN_FLIGHT:
        return Decision(case=case, reason=f"attempt {attempt.number}: its worker was slow, its outcome is known")
    case = _with_attempt(case, replace(attempt, status=AttemptStatus.UNKNOWN))
    return Decision(
        case=case,
        reason=f"attempt {attempt.number}: its worker did not come back; what became of it is read at the gateway",
        plan=(Plan(kind=StepKind.SETTLE_ATTEMPT, due_at=now, hold_seconds=rules.settle_seconds),),
    )


def _follow(
    case: Case, attempt: Attempt, answer: Answer, *, now: datetime, rules: Rules, usage: CardUse, why: Told
) -> Decision:
    match answer:
        case Declined() | NeedsCustomer():
            return _refused(case, attempt, now=now, rules=rules, usage=usage, why=why)
        case AlreadySettled():
            return refresh_now(case, now=now, why=f"{why}; the invoice is read again")
        case NotSent():
            return _unsent(case, now=now, rules=rules, why=why)
        case Misconfigured(detail=detail):
            again = (Plan(kind=StepKind.CHARGE_CARD, due_at=now + MISCONFIGURED_RECHECK),)
            return Decision(
                case=case,
                reason=f"{why}; all charging stops until a person resumes it",
                plan=again,
                halt=detail,
            )
        case _:
            raise TypeError(f"{answer!r} has no follow-up")


def _refused(case: Case, attempt: Attempt, *, now: datetime, rules: Rules, usage: CardUse, why: Told) -> Decision:
    if case.state is not REVIEW and fresh_waits(case, rules.policy):
        return refresh_now(case, now=now, why=f"{why}; meanwhile fresh details appeared, which are read again at once")
    if case.state is not REVIEW and _may_be_cured(case, attempt):
        why = f"{why}; its billing address was corrected, which is weighed against the refusal at once"
        return refresh_now(case, now=now, why=why)
    if case.state is not SILENT:
        stays = Sentence(lambda: f"{why}; the case stays in {case.state.value}")
        return _refused_between(case, now=now, rules=rules, why=stays)
    if attempt.purpose is Purpose.BACKUP_CARD:
        return refresh_now(case, now=now, why=f"{why} on a backup card; the card of this payment is read again")
    verdict = case.verdict
    assert verdict is not None
    if verdict.decline_class in NEEDS_FRESH_CARD:
        because = Sentence(lambda: f"{why}; {verdict.brief()}; the card is read again at once")
        return refresh_now(case, now=now, why=because)
    return next_silent(case, now=now, rules=rules, usage=usage, why=why)


def _may_be_cured(case: Case, attempt: Attempt) -> bool:
    """Whether what the entry was refused for was corrected, perhaps while the attempt was on its way."""
    return case.verdict is not None and case.verdict.address and correcting.waits(case, attempt.card)


def _refused_between(case: Case, *, now: datetime, rules: Rules, why: Told) -> Decision:
    """A try was refused after the silent options were exhausted: the letters go on, and perhaps one payday more."""
    if case.state is not DUNNING:
        return Decision(case=case, reason=why)
    case, letter = after_wish(case, now=now, rules=rules)
    if case.wished_at is not None:  # the try that was refused took the place of the one that the customer asked for
        wished: Plan | None = Plan(kind=StepKind.CHARGE_CARD, due_at=case.wished_at)
    else:
        wished = next_between(case, now=now, rules=rules)
    following = (letter, wished)
    return Decision(case=case, reason=why, plan=tuple(each for each in following if each is not None))


def _unsent(case: Case, *, now: datetime, rules: Rules, why: Told) -> Decision:
    policy = rules.policy
    unsent = 0
    for attempt in reversed(case.attempts):
        if attempt.status is not AttemptStatus.NOT_SENT:
            break
        unsent += 1
    if unsent >= policy.unsent_max:
        return to_review(
            case, Review.NEVER_SENT, now=now, rules=rules, why=f"{why}; {unsent} attempts in a row never got through"
        )
    wait = timedelta(minutes=policy.unsent_retry_minutes * 2 ** (unsent - 1))
    again = (Plan(kind=StepKind.CHARGE_CARD, due_at=now + wait),)
    return Decision(
        case=case,
        reason=f"{why}; its budget is released, tried again {now + wait:%d %b %H:%M} UTC",
        plan=again,
    )


def _recorded(case: Case, attempt: Attempt, answer: Answer, *, now: datetime, rules: Rules) -> Case:
    """The case with the answer written into its attempt and, after a refusal, the new verdict."""
    match answer:
        case Declined(signals=signals, charge_id=charge):
            return _with_refusal(case, attempt, AttemptStatus.DECLINED, signals, charge, now=now, rules=rules)
        case NeedsCustomer(signals=signals, charge_id=charge):
            signals = replace(
                signals, needs_customer=True
            )  # the answer outweighs codes that would allow another silent try
            return _with_refusal(case, attempt, AttemptStatus.NEEDS_CUSTOMER, signals, charge, now=now, rules=rules)
        case Processing(charge_id=charge):
            own = _own(case, attempt, charge)
            return _with_attempt(case, replace(attempt, status=AttemptStatus.PROCESSING, charge_id=own))
        case _:
            return _with_attempt(case, replace(attempt, status=_STATUS[type(answer)]))


_STATUS: dict[type, AttemptStatus] = {
    AlreadySettled: AttemptStatus.ALREADY_SETTLED,
    NotSent: AttemptStatus.NOT_SENT,
    Misconfigured: AttemptStatus.MISCONFIGURED,
    Unknown: AttemptStatus.UNKNOWN,
}


def _with_refusal(
    case: Case,
    attempt: Attempt,
    status: AttemptStatus,
    signals: Signals,
    charge: str | None,
    *,
    now: datetime,
    rules: Rules,
) -> Case:
    verdict: Verdict = rules.verdict(signals, attempt.card, now)
    charge = _own(case, attempt, charge)
    refused = replace(attempt, status=status, signals=signals, charge_id=charge, decline_class=verdict.decline_class)
    attempts, dead = _amended(case, refused), case.dead_after(attempt.card, verdict)
    if attempt.purpose is Purpose.BACKUP_CARD:
        # What a backup card is declined for says nothing of the card that the payment is meant for.
        return replace(case, attempts=attempts, dead_cards=dead)
    return replace(
        case,
        attempts=attempts,
        verdict=verdict,
        signals=signals,
        last_failure_at=now,
        tried_card=attempt.card,
        dead_cards=dead,
    )


def _own(case: Case, attempt: Attempt, charge: str | None) -> str | None:
    """The charge that an answer names, unless an earlier attempt made it: a call that made none leaves that one in its place, and two
    attempts within seconds are too close for the gateway to tell them apart.
    """
    others = {each.charge_id for each in case.attempts if each.id != attempt.id}
    return None if charge in others else charge


def _with_attempt(case: Case, attempt: Attempt) -> Case:
    return replace(case, attempts=_amended(case, attempt))


def _amended(case: Case, attempt: Attempt) -> tuple[Attempt, ...]:
    return tuple([attempt if a.id == attempt.id else a for a in case.attempts])


def _brief(answer: Answer) -> str:
    match answer:
        case Declined(signals=signals):
            sent = "" if signals.reached_network else ", never reached the network"
            return f"declined ({signals.brief()}{sent})"
        case NeedsCustomer(signals=signals):
            return f"the customer must authenticate ({signals.brief()})"
        case Processing():
            return "accepted, outcome later"
        case Succeeded():
            return "succeeded"
        case (
            AlreadySettled(detail=detail)
            | NotSent(detail=detail)
            | Misconfigured(detail=detail)
            | Unknown(detail=detail)
        ):
            return f"{type(answer).__name__.lower()} ({detail})"
