"""What the emails of a campaign lead to: when one is due, gone or refused. Without it a payment and an email could cross each other.

Everything that was true when the email was planned is asked again here: still owed, still wanted, decent hour, within the cap.
"""

from datetime import datetime, timedelta

from recovery.cases import facts, money_moves
from recovery.cases.between import campaign_of, decent_at, next_letter
from recovery.cases.case import Case, Decision, Plan
from recovery.cases.fresh_first import fresh_first
from recovery.cases.lifecycle import State, StepKind
from recovery.cases.policy import Dunning
from recovery.cases.rules import CardUse, Rules
from recovery.sentences import Sentence
from recovery.values import replace

CAP_DAYS = 30
"""The span in which ``customer_emails_max`` counts."""


def email_due(case: Case, fact: facts.EmailDue, *, now: datetime, rules: Rules, usage: CardUse) -> Decision:
    """A letter has come due: begin it, let it wait, or find that it is not wanted any more."""
    ended = money_moves.ended_by_reading(case, fact.obligation, now=now)
    if ended is not None:
        return ended
    if case.state is not State.DUNNING:
        return Decision(case=case, reason=f"no email: the case is {case.state.value}")
    campaign = campaign_of(case, rules)
    if case.mail_stopped:
        return Decision(case=case, reason="no email: the customer is not to be written to any more")
    if case.letters_done >= len(campaign.letters):
        return Decision(case=case, reason=f"no email: all of campaign {campaign.name} were sent already")
    waits = _waits(case, fact, now=now, rules=rules, usage=usage)
    if waits is not None:
        later, why = waits
        return Decision(case=case, reason=why, plan=(Plan(kind=StepKind.SEND_EMAIL, due_at=later),))
    first = fresh_first(case, fact.obligation, StepKind.SEND_EMAIL, now=now, rules=rules)
    if first is not None:
        return first
    number, exhausted = case.email_tries + 1, case.exhausted
    letter = campaign.letters[case.letters_done]
    assert exhausted is not None

    def reason() -> str:
        place = f"letter {case.letters_done + 1} of {len(campaign.letters)} of campaign {campaign.name}"
        return (
            f"the customer is written to ({place}, {letter.template}, try {case.letter_tries + 1}): silent options were "
            f"exhausted {exhausted.at:%d %b %H:%M} UTC by the rule {exhausted.rule.value}"
        )

    return Decision(
        case=replace(case, email_tries=number, letter_tries=case.letter_tries + 1),
        reason=Sentence(reason),
        email=number,
        template=letter.template,
    )


def _waits(
    case: Case, fact: facts.EmailDue, *, now: datetime, rules: Rules, usage: CardUse
) -> tuple[datetime, str] | None:
    """Until when the email waits and why, or None when it may go."""
    if case.open_attempt is not None or fact.obligation.pending:
        return now + timedelta(hours=1), "the email waits: a charge is still open"
    if case.wished_at is not None and case.wished_at > now:
        later = decent_at(case, rules, case.wished_at + timedelta(days=1))
        return later, f"the email waits: the customer asked for a try on {case.wished_at:%d %b}"
    decent = decent_at(case, rules, now)
    if decent > now:
        return decent, f"the email waits for a decent hour: {decent:%a %d %b %H:%M} UTC"
    allowed = allowed_at(rules.policy.dunning, usage.mailed, now)
    if allowed > now:
        later = decent_at(case, rules, allowed)
        return later, f"the email waits: the customer got enough over all cases; again {later:%a %d %b %H:%M} UTC"
    return None


def allowed_at(dunning: Dunning, mailed: tuple[datetime, ...], now: datetime) -> datetime:
    """When the cap per customer lets another email go, all cases counted."""
    at = now
    if mailed:
        at = max(at, max(mailed) + timedelta(hours=dunning.customer_gap_hours))
    recent = sorted(when for when in mailed if when > at - timedelta(days=CAP_DAYS))
    if len(recent) >= dunning.customer_emails_max:
        at = max(at, recent[-dunning.customer_emails_max] + timedelta(days=CAP_DAYS))
    return at


def email_sent(case: Case, fact: facts.EmailSent, *, now: datetime, rules: Rules) -> Decision:
    """A letter is gone, or may be: the next one is planned."""
    how = "the connection broke at the end: it may have arrived and is not sent again" if fact.ambiguous else "accepted"
    told = replace(
        case,
        emails_sent=case.emails_sent + 1,
        emailed_at=case.emailed_at or now,
        letters_done=case.letters_done + 1,
        letter_tries=0,
    )
    return _then_next(told, f"email {fact.email_id}: {how}", now=now, rules=rules)


def email_refused(case: Case, fact: facts.EmailRefused, *, now: datetime, rules: Rules) -> Decision:
    """A letter did not go: again later, or on to what comes without it."""
    dunning = rules.policy.dunning
    if fact.believed_sent:
        left = case.emails_sent - 1
        first = case.emailed_at if left else None
        case = replace(case, emails_sent=left, emailed_at=first, letters_done=max(case.letters_done - 1, 0))
    why = f"email refused ({fact.detail})"
    if case.state is not State.DUNNING:
        return Decision(case=case, reason=f"{why}; the case is {case.state.value}")
    if fact.permanent:
        stopped = replace(case, mail_stopped=True)
        return Decision(
            case=stopped,
            reason=f"email refused for good ({fact.detail}); the case goes on without emails",
            cancel=frozenset({StepKind.SEND_EMAIL}),
        )
    if fact.ours:
        # What somebody here has to mend costs the customer no letter: its tries are for what their address answers.
        case, why = replace(case, letter_tries=max(case.letter_tries - 1, 0)), f"{why}, which no try is counted for"
    elif case.letter_tries >= dunning.email_tries_max:
        skipped = replace(case, letters_done=case.letters_done + 1, letter_tries=0)
        return _then_next(skipped, f"{why} {case.letter_tries} times; this letter is left out", now=now, rules=rules)
    again = decent_at(case, rules, now + timedelta(hours=dunning.email_retry_hours))
    return Decision(
        case=case,
        reason=f"{why}; tried again {again:%d %b %H:%M} UTC",
        plan=(Plan(kind=StepKind.SEND_EMAIL, due_at=again),),
    )


def _then_next(case: Case, why: str, *, now: datetime, rules: Rules) -> Decision:
    if case.state is not State.DUNNING:
        return Decision(case=case, reason=why)
    plan = next_letter(case, now=now, rules=rules)
    if plan is None:
        return Decision(case=case, reason=f"{why}; it was the last one")
    reason = Sentence(lambda: f"{why}; the next one {plan.due_at:%a %d %b %H:%M} UTC")
    return Decision(case=case, reason=reason, plan=(plan,))
