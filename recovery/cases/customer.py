"""What the customer asks for on their page: another date, no more mail, to leave. Without it the page could only point elsewhere."""

from datetime import datetime, timedelta

from recovery.cases import facts
from recovery.cases.asking import fresh_question
from recovery.cases.between import decent_at, next_letter
from recovery.cases.case import Case, Decision, Plan
from recovery.cases.lifecycle import LETTERS, OPEN, State, StepKind
from recovery.cases.money_moves import ended_by_reading, withdraw
from recovery.cases.obligation import Obligation, ObligationStatus
from recovery.cases.policy import RETRIED
from recovery.cases.rules import NO_USE, CardUse, Rules
from recovery.timing.slots import next_slot
from recovery.values import replace

WISH_DAYS_MAX = 35
"""How far ahead a customer may put the try: paid once a month, the next payday lies within this."""

AFTER_WISH = timedelta(days=4)
"""How long a case stays open after the try that the customer asked for: the answer, one letter, and a weekend."""


def may_wish(case: Case, rules: Rules) -> bool:
    """Whether a try on another date can help: the card is alive, only money or patience was missing, and wishes are left."""
    return (
        case.state is State.DUNNING
        and case.card is not None
        and not case.is_dead(case.card)
        and case.verdict is not None
        and case.verdict.decline_class in RETRIED
        and case.wishes < rules.policy.dunning.wishes_max
        and case.open_attempt is None
    )


def date_wished(case: Case, fact: facts.DateWished, *, now: datetime, rules: Rules) -> Decision:
    """The customer names the day on which the money will be there: a silent try then, and no letter before."""
    if not may_wish(case, rules) or not now < fact.wished_at <= now + timedelta(days=WISH_DAYS_MAX):
        return Decision(
            case=case, reason=f"the customer asked for a try on {fact.wished_at:%d %b}; it cannot be planned"
        )
    slot = next_slot(fresh_question(case, now=fact.wished_at, rules=rules, usage=NO_USE, windows=True))
    if slot.at is None:
        return Decision(case=case, reason=f"the customer asked for a try on {fact.wished_at:%d %b}; {slot.reason}")
    wished = replace(case, wished_at=slot.at, wishes=case.wishes + 1)
    plan = [Plan(kind=StepKind.CHARGE_CARD, due_at=slot.at)]
    closes_at = slot.at + AFTER_WISH
    planned = case.step(StepKind.CLOSE_CASE)
    if planned is None or planned.due_at < closes_at:
        plan.append(Plan(kind=StepKind.CLOSE_CASE, due_at=closes_at))
    letter = next_letter(wished, now=now, rules=rules)
    if letter is not None:
        plan.append(letter)
    return Decision(
        case=wished,
        reason=f"the customer asked for a try on {fact.wished_at:%d %b}: planned {slot.at:%a %d %b %H:%M} UTC, no email before",
        plan=tuple(plan),
    )


def after_wish(case: Case, *, now: datetime, rules: Rules) -> tuple[Case, Plan | None]:
    """The case once the try that was wished for is over, and the letter that then has its turn."""
    if case.wished_at is None or case.wished_at > now:
        return case, None
    done = replace(case, wished_at=None)
    letter = next_letter(done, now=now + timedelta(hours=1), rules=rules)
    return done, letter and replace(letter, due_at=decent_at(done, rules, letter.due_at))


def customer_left(case: Case, fact: facts.CustomerLeft, *, now: datetime) -> Decision:
    """The customer wants to leave: voluntary churn with its reason, nothing is tried or sent any more."""
    reasoned = replace(case, left_because=fact.because)
    if case.state not in OPEN:
        why = f"the customer gave a reason for leaving: {fact.because}"
        return Decision(case=reasoned, reason=why, cancel=frozenset({StepKind.ASK_REASON}))
    return withdraw(reasoned, now=now, why=f"the customer wants to leave ({fact.because})")


def mail_stopped(case: Case, fact: facts.MailStopped) -> Decision:
    """No further email to this customer: unsubscribed, bounced or complained."""
    return Decision(
        case=replace(case, mail_stopped=True),
        reason=f"no further emails: {fact.why}",
        cancel=LETTERS,
    )


def unwanted(case: Case, obligation: Obligation, why: str, *, now: datetime) -> Decision:
    """A letter has come due for a customer who wants none, whatever this case knew of it; unless the reading shows more than that."""
    if case.state in OPEN or obligation.status is ObligationStatus.PAID:
        ended = ended_by_reading(case, obligation, now=now)
        if ended is not None:
            return ended
    stopped = replace(case, mail_stopped=True)
    return Decision(case=stopped, reason=f"no email, now or later: {why}", cancel=LETTERS)


def mail_resumed(case: Case, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    """Emails that the mail server had refused go on, unless the customer does not want them: the letter that was due comes next."""
    if usage.no_mail is not None:
        return Decision(case=case, reason=f"emails stay stopped: {usage.no_mail}")
    if not case.mail_stopped:
        return Decision(case=case, reason="emails were not stopped")
    resumed = replace(case, mail_stopped=False, letter_tries=0)
    letter = next_letter(resumed, now=now, rules=rules) if case.state is State.DUNNING else None
    if letter is None:
        return Decision(case=resumed, reason="a person let emails go on; none is due")
    return Decision(
        case=resumed, reason=f"a person let emails go on: next {letter.due_at:%a %d %b %H:%M} UTC", plan=(letter,)
    )
