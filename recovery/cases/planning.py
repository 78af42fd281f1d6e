"""What to do next with a case that is still owed. Without it each fact would grow a schedule of its own."""

from datetime import datetime, timedelta

from recovery.cases.asking import fresh_question, silent_slot
from recovery.cases.between import held_back, next_between, next_letter
from recovery.cases.case import SILENT_TRY, Case, Decision, Exhausted, Plan, Purpose
from recovery.cases.choosing import backups, default_card, is_untried, needs_agreement, next_card
from recovery.cases.lifecycle import DUNNING, REVIEW, SILENT, SPENT, AttemptStatus, Review, Rule, StepKind
from recovery.cases.policy import RETRIED
from recovery.cases.rules import CardUse, Rules
from recovery.declines.classify import DeclineClass
from recovery.sentences import Sentence, Told
from recovery.timing.slots import Slot, jitter, next_slot
from recovery.values import maker, replace

# For what most facts lead to.
_decision, _plan = maker(Decision), maker(Plan)

SILENT_STEPS = frozenset({StepKind.REFRESH_CARD, StepKind.CHARGE_CARD})
ALL_STEPS = frozenset(StepKind)
_READING, _TRYING = frozenset({StepKind.REFRESH_CARD}), frozenset({StepKind.CHARGE_CARD})


def next_silent(case: Case, *, now: datetime, rules: Rules, usage: CardUse, why: Told) -> Decision:
    """Plan the next silent step after a decline, or declare the silent options exhausted.

    ``why`` is what led here; it begins the reason.
    """
    verdict = case.verdict
    assert verdict is not None, f"case {case.id} is planned without a verdict"
    kind = verdict.decline_class
    if kind is DeclineClass.OUR_MISTAKE:
        return to_review(case, Review.OUR_MISTAKE, now=now, rules=rules, why=f"{why}; {verdict.brief()}")
    if kind not in RETRIED or (case.card is not None and case.is_dead(case.card)):
        return _wait_for_fresh_card(case, now=now, rules=rules, why=why)  # which uses up no attempt
    used = case.silent_tries
    if used >= rules.policy.silent_attempts_max:
        limit = f"{used} of {rules.policy.silent_attempts_max} silent attempts are used"
        return spent(case, Rule.ATTEMPTS, now=now, rules=rules, why=why, detail=limit)
    ladder = rules.policy.ladders[kind]
    tried = _tries_in_class(case, kind)
    if tried >= ladder.tries_max:
        detail = f"{tried} of {ladder.tries_max} tries after {kind.value} declines are used"
        return spent(case, Rule.ATTEMPTS, now=now, rules=rules, why=why, detail=detail)
    # Spread out after all limits are met.
    spread = jitter(f"{case.id}:{len(case.attempts)}", rules.policy.jitter_minutes)
    slot = silent_slot(case, tried, now=now, rules=rules, usage=usage, jitter_seconds=spread)
    if slot.at is None or slot.at > case.horizon_at:
        days = f"the horizon of {rules.policy.horizon_days} days"
        detail = (
            f"{slot.reason}; {days} ends" if slot.at is None else f"the next slot ({told(slot)}) lies beyond {days}"
        )

        # What pushed the slot out, such as a used-up budget; a try that was refused at firing has told it already.
        def pushed() -> str:
            led_here = str(why)
            told_yet = [f"rejected {move}" for move in slot.rejected if move not in led_here]
            return "; ".join([led_here, verdict.brief(), *told_yet])

        ended = spent(case, Rule.HORIZON, now=now, rules=rules, why=Sentence(pushed), detail=detail)
        return replace(ended, slot=slot)
    return _decision(
        case=case if case.state is SILENT else replace(case, state=SILENT),
        reason=Sentence(lambda: f"{why}; {verdict.brief()}; next try {told(slot)}: {slot.reason}"),
        plan=(_plan(kind=StepKind.CHARGE_CARD, due_at=slot.at),),
        cancel=_READING,
        slot=slot,
    )


def charge_fresh(case: Case, *, now: datetime, rules: Rules, usage: CardUse, why: Told) -> Decision:
    """Plan one immediate try on details that were not tried before: spacing does not apply, budgets always do."""
    card = case.card
    assert card is not None
    purpose = case.purpose_of(card)
    windows = purpose is not Purpose.CUSTOMER_CARD
    slot = next_slot(fresh_question(case, now=now, rules=rules, usage=usage, windows=windows))
    too_late = slot.at is not None and slot.at > case.horizon_at and purpose is Purpose.BACKUP_CARD
    if slot.at is None or too_late:
        ended = exhaust(case, Rule.HORIZON, now=now, rules=rules, why=why, detail=slot.reason)
        return replace(ended, slot=slot)
    return _decision(
        case=case,
        reason=Sentence(lambda: f"{why}; fresh details ({card.brief()}) are tried {told(slot)}: {slot.reason}"),
        plan=(_plan(kind=StepKind.CHARGE_CARD, due_at=slot.at),),
        cancel=_READING,
        slot=slot,
    )


def may_fire(case: Case, purpose: Purpose, *, now: datetime, rules: Rules, usage: CardUse) -> Slot | str:
    """Check at the moment of firing what was true at planning: the slot when the try may go out, else what forbids it."""
    assert case.card is not None
    assert usage.budget_key == case.card.budget_key, "a card's try is judged by another card's use"
    if purpose is SILENT_TRY:
        if now > case.horizon_at:
            return f"the horizon of {rules.policy.horizon_days} days has passed"
        if case.silent_tries >= rules.policy.silent_attempts_max:
            return "the silent attempts are used up"
        if case.verdict is None or case.verdict.decline_class not in rules.policy.ladders:
            return "the last decline rules these details out"
        tried = _tries_in_class(case, case.verdict.decline_class)
        slot = silent_slot(case, tried, now=now, rules=rules, usage=usage)
    else:
        windows = purpose is not Purpose.CUSTOMER_CARD
        slot = next_slot(fresh_question(case, now=now, rules=rules, usage=usage, windows=windows))
    return slot if slot.at == now else slot.reason


def spent(case: Case, rule: Rule, *, now: datetime, rules: Rules, why: Told, detail: str) -> Decision:
    """Nothing silent is left on the card of this payment: the turn of the customer's other cards, or else of the customer."""
    turn = backup_turn(case, now=now, rules=rules, why=Sentence(lambda: f"{why}; {detail}"))
    return turn or exhaust(case, rule, now=now, rules=rules, why=why, detail=detail)


def backup_turn(case: Case, *, now: datetime, rules: Rules, why: Told) -> Decision | None:
    """Plan a try on the next of the customer's other cards, to be checked against that card's own budget when it is made.

    What is planned is what firing would choose: planning another card would be put off and planned again for ever.
    """
    others = backups(case, rules.policy)
    if not others:
        return None
    turn = next_card(replace(case, card=others[0]), default_card(case), rules.policy)
    if turn is None or needs_agreement(case, turn, rules.policy) or not is_untried(case, turn):
        return None
    allowed = rules.policy.cards.backup.value.replace("_", " ")
    return Decision(
        case=replace(case, card=turn),
        reason=f"{why}; the customer's other card {turn.brief()} is tried (backup cards: {allowed})",
        plan=(Plan(kind=StepKind.CHARGE_CARD, due_at=now),),
        cancel=_READING,
    )


def exhaust(case: Case, rule: Rule, *, now: datetime, rules: Rules, why: Told, detail: str) -> Decision:
    """The silent options are used up: hand the case to dunning, with its first letter planned and an end in sight."""
    exhausted = case.exhausted or Exhausted(rule=rule, at=now, detail=detail)
    asked = replace(case, state=DUNNING, exhausted=exhausted)
    ends_at = now + held_back(asked, rules) + timedelta(days=rules.policy.dunning.wait_days)
    following = (next_letter(asked, now=now, rules=rules), next_between(asked, now=now, rules=rules))
    plan = [_plan(kind=StepKind.CLOSE_CASE, due_at=ends_at), *(each for each in following if each is not None)]
    return _decision(
        case=asked,
        reason=Sentence(
            lambda: (
                f"{why}; silent options are exhausted by the rule {rule.value}: {detail}; "
                f"the customer is asked, until {ends_at:%d %b}"
            )
        ),
        plan=tuple(plan),
        cancel=SILENT_STEPS | {StepKind.ESCALATE},
    )


def to_review(case: Case, because: Review, *, now: datetime, rules: Rules, why: Told) -> Decision:
    """A person must look; until then nothing is tried and nobody is written to, unless another card is all that was missing."""
    escalates_at = now + timedelta(days=rules.policy.review_days)
    return Decision(
        case=replace(case, state=REVIEW, review=because),
        reason=f"{why}; a person must look, escalated {escalates_at:%d %b} if nobody does",
        plan=(Plan(kind=StepKind.ESCALATE, due_at=escalates_at),),
        cancel=ALL_STEPS - {StepKind.ESCALATE, StepKind.SETTLE_ATTEMPT},
    )


def told(slot: Slot) -> str:
    """A slot's instant for reasons, in the issuer's time."""
    assert slot.at is not None
    return f"{slot.question.window.local(slot.at):%a %d %b %H:%M} {slot.zone}"


def refresh_now(case: Case, *, now: datetime, why: Told) -> Decision:
    """Read obligation and card again at once; what is planned stays until the reading tells."""
    return _decision(case=case, reason=why, plan=(_plan(kind=StepKind.REFRESH_CARD, due_at=now),))


def _wait_for_fresh_card(case: Case, *, now: datetime, rules: Rules, why: Told) -> Decision:
    verdict = case.verdict
    assert verdict is not None
    kind = verdict.decline_class
    elsewhere = "; the card itself was refused for good meanwhile" if kind in RETRIED else ""
    because = Sentence(lambda: f"{why}; {verdict.brief()}{elsewhere}")
    turn = backup_turn(case, now=now, rules=rules, why=because)
    if turn is not None:
        return turn
    if kind is DeclineClass.STALE_CARD or kind in RETRIED or _curable(case, rules):
        # Retried classes come here with a dead card on file again: the newest decline was on another one.
        since = case.last_failure_at or case.failed_at  # a card may die late: networks learn of the new one after that
        days = [d for d in rules.policy.refresh_days if since + timedelta(days=d) > now]
        due_at = since + timedelta(days=days[0]) if days else None
        if due_at is not None and due_at <= case.horizon_at:
            return Decision(
                case=replace(case, state=SILENT),
                reason=Sentence(lambda: f"{because}; the card is read again {due_at:%a %d %b %H:%M} UTC"),
                plan=(Plan(kind=StepKind.REFRESH_CARD, due_at=due_at),),
                cancel=_TRYING,
            )
        rule, detail = (
            Rule.ONLY_CUSTOMER,
            "no fresh details appeared in the time given; only the customer has them",
        )
    elif kind is DeclineClass.NEVER_AGAIN:
        rule, detail = Rule.NEVER_AGAIN, "this card must not be tried again and no other is on file"
    else:
        rule, detail = Rule.ONLY_CUSTOMER, f"after {kind.value.replace('_', ' ')} no silent try can help"
    return exhaust(case, rule, now=now, rules=rules, why=because, detail=detail)


def _curable(case: Case, rules: Rules) -> bool:
    """Whether the gateway's own code says "out of date" where the network forbids these details: others may still come silently."""
    if case.verdict is None or case.verdict.decline_class is not DeclineClass.NEVER_AGAIN or case.signals is None:
        return False
    row = rules.declines.codes.get(case.signals.decline_code or case.signals.error_code or "")
    return row is not None and row.decline_class is DeclineClass.STALE_CARD


def _tries_in_class(case: Case, kind: DeclineClass) -> int:
    """Silent tries spent after declines of one class: the first failure was not ours and is not counted."""
    return sum(
        [
            a.status in SPENT
            and a.purpose is SILENT_TRY
            and (a.decline_class is kind or a.status is AttemptStatus.PROCESSING)
            for a in case.attempts
        ]
    )
