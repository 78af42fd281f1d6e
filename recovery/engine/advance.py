"""The one door. Nothing else writes cases: lock, decide, save case, journal and steps, commit.

Without one door two writers would each believe they know the case, and one of them would charge twice.
"""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from recovery.cases.case import Attempt, Case, Decision, Plan
from recovery.cases.choosing import card_read, shows_cards
from recovery.cases.decide import decide
from recovery.cases.facts import (
    AttemptAnswered,
    CardRefreshed,
    ChargeDue,
    EmailDue,
    EmailRefused,
    EmailSent,
    Fact,
    LeaseLapsed,
    MailResumed,
    PaymentFailed,
    PolicyMoved,
    fact_name,
)
from recovery.cases.grounds import grounds_of
from recovery.cases.lifecycle import OPEN, StepKind
from recovery.cases.obligation import Charge, Obligation
from recovery.cases.opening import opened_case
from recovery.engine.door import Door
from recovery.storage.attempt_store import insert_attempt
from recovery.storage.card_history import note_cards
from recovery.storage.card_store import card_use, lock_card
from recovery.storage.case_store import (
    Held,
    arm_before,
    case_id_of,
    insert_case,
    knows_fact,
    lock_case,
    save_decision,
)
from recovery.storage.email_store import finish_email, insert_email, with_mailed
from recovery.storage.flag_store import (
    CHARGING_HALTED,
    LETTERS_REFUSED,
    MAIL_ILL,
    count_unknown_code,
    lower_flag,
    raise_flag,
)
from recovery.storage.foreign_store import note_foreign_charges
from recovery.storage.lease_store import extend_leases
from recovery.storage.message_store import note_messages
from recovery.storage.moment import Moment
from recovery.storage.step_store import ClaimedStep, apply_steps, finish_steps
from recovery.storage.suppression_store import stopped_otherwise
from recovery.values import replace

log = structlog.get_logger(__name__)

_READINGS = (ChargeDue, CardRefreshed)

SEND_WITHIN_SECONDS = 15.0
"""A call begins at most so long after its intent, or not at all. Longer than a commit that waited for a lock (10 s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """What a fact led to. ``decision`` is None when the fact was known already, or its claim no longer ours.

    ``attempt`` is to be charged now, ``email_id`` with ``template`` to be sent now, by the caller and under the lease of its step.
    """

    case: Case
    decision: Decision | None = None
    attempt: Attempt | None = None
    email_id: str | None = None
    template: str | None = None


def advance(door: Door, case_id: str, fact: Fact, *, step: ClaimedStep | None = None) -> Advanced:
    """Let a fact have its effect on a case, once.

    ``step`` is the claimed step that the fact completes; a claim that is no longer ours changes nothing. Raises NoSuchCase,
    BrokenInvariant (nothing is saved) and the database's own errors.
    """
    moment = door.moment()
    with door.database.begin() as tx:
        held = lock_case(tx, case_id, fact_key=fact.key, step=step)
        if step is not None and held.lease_until is None:
            log.info("claim_lost", case=case_id, step=step.id, kind=step.kind)
            if not isinstance(fact, AttemptAnswered | EmailSent | EmailRefused):
                return Advanced(case=held.case)
        return _let_in(tx, door, held, fact, step=step, moment=moment)


def open_case(door: Door, fact: PaymentFailed, *, gateway: str) -> Advanced:
    """Open the case of an obligation, or let the fact in at the one that exists."""
    moment = door.moment()
    obligation = fact.obligation
    case_id = case_id_of(obligation.id)
    with door.database.begin() as tx:
        version = door.rulebook.current
        fresh = opened_case(
            fact.charge,
            obligation,
            rules=door.rulebook.rules_for(tx, version),
            case_id=case_id,
            gateway=gateway,
            policy=version,
            arm_before=arm_before(tx, obligation.customer),
        )
        insert_case(tx, fresh, moment=moment)
        return _let_in(tx, door, lock_case(tx, case_id, fact_key=fact.key), fact, step=None, moment=moment)


def _let_in(
    tx: Connection, door: Door, held: Held, fact: Fact, *, step: ClaimedStep | None, moment: Moment
) -> Advanced:
    case = held.case
    if held.known:
        _move_steps(tx, held, fact, Decision(case=case, reason="known"), step=step, moment=moment)
        return Advanced(case=case)
    if isinstance(fact, EmailRefused) and knows_fact(tx, case.id, EmailSent(email_id=fact.email_id).key):
        fact = replace(fact, believed_sent=True)
    rules = door.rulebook.rules_for(tx, fact.version if isinstance(fact, PolicyMoved) else case.policy)
    card = card_read(case, fact, now=moment.now, rules=rules) if isinstance(fact, _READINGS) else None
    card = card or case.card or (fact.charge.card if isinstance(fact, PaymentFailed) else None)
    key = card.budget_key if card else None
    if isinstance(fact, ChargeDue) and key is not None:
        lock_card(tx, key)
    note_foreign_charges(tx, case, _charges_read(fact), noted=held.noted)
    usage = replace(card_use(tx, key, now=moment.now), elder=held.elder, siblings=held.siblings)
    if isinstance(fact, EmailDue):
        usage = with_mailed(tx, case, usage, now=moment.now)
    if isinstance(fact, MailResumed):
        usage = replace(usage, no_mail=stopped_otherwise(tx, case))
    decision = decide(case, fact, now=moment.now, rules=rules, usage=usage)
    decision = replace(decision, reason=str(decision.reason))  # the journal and the log tell it: put into words once
    grounds = grounds_of(case, decision, now=moment.now, rules=rules, usage=usage)
    journal_id = save_decision(tx, case, fact, decision, grounds=grounds, moment=moment)
    if door.tells_merchant:
        note_messages(tx, case, decision, journal_id=journal_id, moment=moment)
    if isinstance(fact, _READINGS) and shows_cards(fact):
        note_cards(tx, case, fact.cards, moment=moment)
    if decision.start is not None:
        assert step is not None, "an attempt needs the lease of its step"
        _begin_attempt(tx, held, decision.start, step=step, moment=moment)
    email_id = None
    if decision.email is not None:
        assert step is not None, "an email needs the lease of its step"
        email_id = insert_email(tx, decision, step_id=step.id, moment=moment)
    if isinstance(fact, EmailSent | EmailRefused):
        _finish_email(tx, fact, moment)
    _move_steps(tx, held, fact, decision, step=step, moment=moment)
    _raise_flags(tx, case, fact, decision, moment)
    _told(fact, decision)
    return Advanced(
        case=decision.case,
        decision=decision,
        attempt=decision.start,
        email_id=email_id,
        template=decision.template,
    )


def _begin_attempt(tx: Connection, held: Held, attempt: Attempt, *, step: ClaimedStep, moment: Moment) -> None:
    insert_attempt(tx, held.case.id, attempt, step_id=step.id)
    # Whoever takes the attempt back must do so after its worker's last moment for sending: from then on the call's bound counts.
    until = moment.machine_now + timedelta(seconds=SEND_WITHIN_SECONDS)
    if held.lease_until is None or held.lease_until < until:
        extend_leases(tx, [step], until=until)


def _told(fact: Fact, decision: Decision) -> None:
    case = decision.case
    log.info("decided", case=case.id, fact=fact_name(fact), state=case.state.value, reason=str(decision.reason))


def _charges_read(fact: Fact) -> tuple[Charge, ...]:
    """The charges on the obligation that the fact's reading shows; the failed one of others first, which says who made it."""
    reading = getattr(fact, "obligation", None)
    shown = reading.charges if isinstance(reading, Obligation) else ()
    return (fact.charge, *shown) if isinstance(fact, PaymentFailed) else shown


def _move_steps(
    tx: Connection, held: Held, fact: Fact, decision: Decision, *, step: ClaimedStep | None, moment: Moment
) -> None:
    """End the steps that end with this fact, then cancel and plan what was decided.

    The claimed one ends, unless it now carries an attempt or an email; and so does that of an attempt whose outcome this is, whoever
    brought it.
    """
    carried = decision.start is not None or decision.email is not None
    ended = None if step is None or carried else step.id
    attempt_id = fact.attempt_id if isinstance(fact, AttemptAnswered | LeaseLapsed) else None
    finished = {}
    if ended is not None or attempt_id is not None:
        finished = finish_steps(tx, ended, attempt_id=attempt_id, moment=moment)
    again = [plan for plan in finished.values() if plan is not None]
    still_open = {waiting.kind for waiting in held.case.steps} - finished.keys()
    apply_steps(tx, _with_repeats(decision, again), still_open=still_open, moment=moment)


def _with_repeats(decision: Decision, again: list[Plan]) -> Decision:
    """Add what was asked for while its step was in flight, unless the decision ends the case or plans it anyway.

    Settling is asked for by an attempt: as long as one is open nothing makes it needless, not even an end. Another reading was asked
    for by news that this decision's reading may be older than.
    """
    unsettled = decision.case.open_attempt is not None
    planned = {plan.kind for plan in decision.plan}
    ended = decision.case.state not in OPEN
    ruled_out = frozenset(StepKind) if ended else decision.cancel - {StepKind.REFRESH_CARD}
    if unsettled:
        ruled_out -= {StepKind.SETTLE_ATTEMPT}
    missing = tuple(plan for plan in again if plan.kind not in planned and plan.kind not in ruled_out)
    return replace(decision, plan=decision.plan + missing)


def _finish_email(tx: Connection, fact: EmailSent | EmailRefused, moment: Moment) -> None:
    if isinstance(fact, EmailSent):
        finish_email(tx, fact.email_id, "ambiguous" if fact.ambiguous else "sent", None, moment=moment)
    else:
        finish_email(tx, fact.email_id, "refused", fact.detail, moment=moment)


def _raise_flags(tx: Connection, before: Case, fact: Fact, decision: Decision, moment: Moment) -> None:
    if decision.halt is not None:
        raise_flag(tx, CHARGING_HALTED, decision.halt, at=moment.now)
        log.error("charging_halted", detail=decision.halt)
    verdict = decision.case.verdict
    if verdict is not None and decision.case.signals is not before.signals:
        for name in verdict.unknown:
            count_unknown_code(tx, name, at=moment.now)
    # Letters refused in a row are the operator's matter, not their customers'. Last of all: every worker writes this row.
    if isinstance(fact, EmailRefused):
        raise_flag(tx, LETTERS_REFUSED, fact.detail, at=moment.now)
    elif isinstance(fact, EmailSent) and not fact.ambiguous:
        lower_flag(tx, LETTERS_REFUSED, MAIL_ILL)
