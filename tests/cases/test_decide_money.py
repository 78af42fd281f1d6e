"""Whose money it was, and what an unknown outcome leads to: never a guess, never a second charge."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cases_support import (
    CARD,
    FAILED_AT,
    FUNDS,
    OPEN_HOUR,
    OTHER,
    OWED,
    asked,
    attempt,
    charge,
    opened,
    owed,
    paid,
    planned,
    rules,
    told,
    waiting,
)

from recovery.cases import facts
from recovery.cases.answers import (
    AlreadySettled,
    Declined,
    Misconfigured,
    NeedsCustomer,
    NotSent,
    Processing,
    Succeeded,
    Unknown,
)
from recovery.cases.case import Purpose
from recovery.cases.decide import BrokenInvariant, decide
from recovery.cases.lifecycle import AttemptStatus, EntryKind, Source, State, StepKind
from recovery.cases.obligation import Charge, ChargeStatus, Obligation, ObligationStatus
from recovery.cases.rules import CardUse
from recovery.declines.classify import DeclineClass
from recovery.declines.signals import Initiator, Signals
from recovery.money import Money

TRYING = opened(attempts=(attempt(),), steps=(waiting(StepKind.CHARGE_CARD, in_flight=True),))
UNKNOWN = opened(attempts=(attempt(status=AttemptStatus.UNKNOWN),), steps=(waiting(StepKind.SETTLE_ATTEMPT),))


def _taken(name: str = "ch_2", **others: object) -> Charge:
    return charge(name, ChargeStatus.SUCCEEDED, **{"created_at": OPEN_HOUR, **others})


def test_a_success_of_ours_is_credited_to_its_purpose() -> None:
    decision = told(TRYING, facts.AttemptAnswered(attempt_id="case_in_1-1", answer=Succeeded(charge=_taken())))
    assert decision.case.state is State.RECOVERED
    assert [(e.source, e.amount) for e in decision.entries] == [(Source.SILENT_RETRY, OWED)]


def test_our_own_charge_counts_even_if_its_instant_is_before_the_failure() -> None:
    odd = _taken(created_at=FAILED_AT - timedelta(seconds=1))
    decision = told(TRYING, facts.AttemptAnswered(attempt_id="case_in_1-1", answer=Succeeded(charge=odd)))
    assert decision.case.state is State.RECOVERED


@pytest.mark.parametrize("case", [TRYING, UNKNOWN])
def test_a_payment_that_may_be_ours_is_settled_before_anybody_is_credited(case: object) -> None:
    """Same card, after our call, nobody's name on it: the customer may have paid at that very instant."""
    assert isinstance(case, type(TRYING))
    decision = told(case, facts.CardRefreshed(obligation=paid(_taken()), card=CARD, step_id=9))
    assert decision.entries == ()
    assert decision.case.state is State.SILENT


def test_a_payment_on_another_card_cannot_be_ours() -> None:
    decision = told(UNKNOWN, facts.CardRefreshed(obligation=paid(_taken(card=OTHER)), card=CARD, step_id=9))
    assert decision.case.state is State.RECOVERED
    assert [entry.source for entry in decision.entries] == [Source.CUSTOMER_UNASKED]


def test_money_settled_by_others_is_looked_at_again_even_in_an_end() -> None:
    answer = facts.AttemptAnswered(attempt_id="case_in_1-1", answer=AlreadySettled(detail="paid"))
    assert StepKind.REFRESH_CARD in planned(told(UNKNOWN, answer))
    given_up = replace(UNKNOWN, state=State.LOST, ended_at=OPEN_HOUR)
    assert StepKind.REFRESH_CARD in planned(told(given_up, answer))
    recovered = replace(UNKNOWN, state=State.RECOVERED, ended_at=OPEN_HOUR, source=Source.GATEWAY_RETRY)
    assert planned(told(recovered, answer)) == {}


@pytest.mark.parametrize("initiator", [Initiator.CUSTOMER, Initiator.GATEWAY])
def test_others_payments_are_never_credited_to_us(initiator: Initiator) -> None:
    fact = facts.InvoicePaid(obligation_id="in_1", charges=(_taken(initiator=initiator),), at=OPEN_HOUR)
    for case in (TRYING, UNKNOWN, opened(), asked(opened())):
        sources = {entry.source for entry in told(case, fact).entries}
        assert sources <= {Source.CUSTOMER_UNASKED, Source.CUSTOMER_AFTER_EMAIL, Source.GATEWAY_RETRY}


def test_part_payments_in_doubt_are_booked_once_it_is_known_whose_they_are() -> None:
    part = _taken("ch_7", amount=Money(minor=900, currency="usd"))
    ours = _taken("ch_8", amount=Money(minor=4000, currency="usd"))
    doubt = facts.InvoicePaid(obligation_id="in_1", charges=(part, ours), at=OPEN_HOUR)
    assert told(UNKNOWN, doubt).entries == ()
    named = replace(doubt, charges=(part, replace(ours, idempotency_key="case_in_1-1")))
    decision = told(replace(UNKNOWN, attempts=(attempt(status=AttemptStatus.SUCCEEDED, charge_id="ch_8"),)), named)
    assert {e.ref: e.source for e in decision.entries} == {
        "ch_7": Source.CUSTOMER_UNASKED,
        "ch_8": Source.SILENT_RETRY,
    }
    assert doubt.key != named.key


def test_a_case_opened_after_a_part_payment_has_all_of_it_at_risk() -> None:
    part = _taken("ch_7", amount=Money(minor=900, currency="usd"), created_at=FAILED_AT)
    rest = Money(minor=4000, currency="usd")
    bare = replace(opened(), verdict=None, amount=rest)
    failed = facts.PaymentFailed(charge=charge(), obligation=owed(remaining=rest, charges=(charge(), part)))
    booked = {entry.kind: entry.amount.minor for entry in told(bare, failed).entries}
    assert booked == {EntryKind.AT_RISK: 4900, EntryKind.RECOVERED: 900}


@pytest.mark.parametrize(
    ("reading", "state"),
    [(paid(_taken("ch_7")), State.RECOVERED), (owed(status=ObligationStatus.VOID), State.WITHDRAWN)],
)
def test_what_a_letters_reading_shows_counts_though_the_letter_is_unwanted(reading: Obligation, state: State) -> None:
    due = facts.EmailDue(obligation=reading, step_id=4)
    usage = CardUse(budget_key=CARD.budget_key, uses=(), no_mail="the customer unsubscribed")
    decision = decide(asked(opened()), due, now=OPEN_HOUR, rules=rules(), usage=usage)
    assert decision.case.state is state


def test_a_part_payment_after_the_end_is_booked_and_changes_nothing_else() -> None:
    ended = replace(opened(), state=State.LOST, ended_at=OPEN_HOUR)
    part = _taken("ch_7", amount=Money(minor=900, currency="usd"))
    decision = told(ended, facts.PartPaid(obligation=owed(charges=(part,))))
    assert decision.case == ended
    assert [entry.kind for entry in decision.entries] == [EntryKind.RECOVERED]


def test_an_unknown_outcome_is_settled_after_the_calls_bound_and_nothing_else_is_done() -> None:
    decision = told(TRYING, facts.AttemptAnswered(attempt_id="case_in_1-1", answer=Unknown(detail="timeout")))
    assert [(plan.kind, plan.hold_seconds) for plan in decision.plan] == [
        (StepKind.SETTLE_ATTEMPT, rules().settle_seconds)
    ]
    assert told(decision.case, facts.ChargeDue(obligation=owed(), card=CARD, step_id=3)).start is None


def test_a_lapsed_lease_leads_to_settling_never_to_another_try() -> None:
    decision = told(TRYING, facts.LeaseLapsed(attempt_id="case_in_1-1"))
    assert decision.case.attempts[0].status is AttemptStatus.UNKNOWN
    assert [plan.kind for plan in decision.plan] == [StepKind.SETTLE_ATTEMPT]
    known = replace(TRYING, attempts=(attempt(status=AttemptStatus.DECLINED),))
    assert told(known, facts.LeaseLapsed(attempt_id="case_in_1-1")).plan == ()


@pytest.mark.parametrize("signals", [FUNDS, Signals()])
def test_an_answer_that_wants_the_customer_outweighs_codes_that_would_allow_a_silent_try(signals: Signals) -> None:
    answer = NeedsCustomer(signals=signals, charge_id="ch_9")
    decision = told(TRYING, facts.AttemptAnswered(attempt_id="case_in_1-1", answer=answer))
    assert decision.case.verdict is not None
    assert decision.case.verdict.decline_class is DeclineClass.AUTHENTICATE
    assert decision.case.state is State.DUNNING
    assert StepKind.CHARGE_CARD not in planned(decision)
    judged_again = told(decision.case, facts.CardRefreshed(obligation=owed(), card=CARD, step_id=9))
    assert judged_again.case.verdict == decision.case.verdict


def test_a_late_decline_corrects_an_attempt_that_seemed_never_sent() -> None:
    unsent = opened(attempts=(attempt(status=AttemptStatus.NOT_SENT),))
    answer = Declined(signals=FUNDS, charge_id="ch_9")
    decision = told(unsent, facts.AttemptAnswered(attempt_id="case_in_1-1", answer=answer))
    assert decision.case.attempts[0].status is AttemptStatus.DECLINED
    assert decision.case.silent_tries == 1


def test_attempts_that_never_get_through_go_to_a_person_in_the_end() -> None:
    many = tuple(attempt(n, AttemptStatus.NOT_SENT) for n in range(1, rules().policy.unsent_max))
    last = attempt(rules().policy.unsent_max)
    answer = facts.AttemptAnswered(attempt_id=last.id, answer=NotSent(detail="429"))
    decision = told(opened(attempts=(*many, last)), answer)
    assert decision.case.state is State.REVIEW
    assert planned(decision).keys() == {StepKind.ESCALATE}


def test_a_refused_key_halts_everything() -> None:
    decision = told(TRYING, facts.AttemptAnswered(attempt_id="case_in_1-1", answer=Misconfigured(detail="401")))
    assert decision.halt == "401"
    assert StepKind.CHARGE_CARD in planned(decision)


def test_a_processing_attempt_stays_open_and_is_looked_at_again() -> None:
    answer = Processing(charge_id="ch_9")
    decision = told(TRYING, facts.AttemptAnswered(attempt_id="case_in_1-1", answer=answer))
    assert decision.case.open_attempt is not None
    assert StepKind.SETTLE_ATTEMPT in planned(decision)
    ended = facts.InvoicePaid(
        obligation_id="in_1", charges=(_taken("ch_9", initiator=Initiator.GATEWAY),), at=OPEN_HOUR
    )
    assert [entry.source for entry in told(decision.case, ended).entries] == [Source.SILENT_RETRY]


def test_a_vanished_invoice_goes_to_a_person_and_its_open_attempt_is_asked_after() -> None:
    missing = facts.ObligationMissing(step_id=4, detail="404")
    decision = told(UNKNOWN, missing)
    assert decision.case.state is State.REVIEW
    assert planned(decision).keys() == {StepKind.ESCALATE, StepKind.SETTLE_ATTEMPT}
    long_after = OPEN_HOUR + timedelta(days=40)
    ended = replace(UNKNOWN, state=State.WITHDRAWN, ended_at=OPEN_HOUR)
    assert told(ended, missing).plan
    assert told(ended, missing, now=long_after).plan == ()


def test_a_case_that_would_break_its_lifecycle_is_refused() -> None:
    ended = replace(opened(), state=State.RECOVERED, ended_at=OPEN_HOUR, source=Source.SILENT_RETRY)
    step = facts.AttemptAnswered(attempt_id="case_in_1-1", answer=Declined(signals=FUNDS))
    assert told(replace(ended, attempts=(attempt(),)), step).case.state is State.RECOVERED
    with pytest.raises(ValueError, match="lets a case go on"):
        facts.PersonDecided(to=State.RECOVERED, note="no", decided_at=OPEN_HOUR)
    two = opened(attempts=(attempt(status=AttemptStatus.UNKNOWN),))
    assert told(two, facts.ChargeDue(obligation=owed(), card=OTHER, step_id=1)).start is None
    assert issubclass(BrokenInvariant, RuntimeError)


def test_a_customers_card_tried_after_the_email_counts_as_the_customers() -> None:
    tried = attempt(purpose=Purpose.CUSTOMER_CARD, card=OTHER)
    case = asked(opened(attempts=(tried,)))
    decision = told(case, facts.AttemptAnswered(attempt_id=tried.id, answer=Succeeded(charge=_taken(card=OTHER))))
    assert [entry.source for entry in decision.entries] == [Source.CUSTOMER_AFTER_EMAIL]
    assert case.silent_tries == 0


def test_a_recovery_that_is_told_again_keeps_what_it_planned() -> None:
    tried = attempt(purpose=Purpose.CUSTOMER_CARD, card=OTHER)
    success = facts.AttemptAnswered(attempt_id=tried.id, answer=Succeeded(charge=_taken(card=OTHER)))
    first = told(asked(opened(attempts=(tried,))), success)
    assert first.cancel >= {StepKind.WAKE_SIBLINGS, StepKind.KEEP_CARD}  # those of another life, before its own
    seen = _taken(card=OTHER, initiator=Initiator.CUSTOMER)
    again = (
        facts.CardRefreshed(obligation=paid(seen), card=OTHER, step_id=9),
        facts.InvoicePaid(obligation_id="in_1", charges=(seen,), at=OPEN_HOUR),
        success,
    )
    for fact in again:
        decision = told(first.case, fact)
        assert decision.cancel >= {StepKind.CHARGE_CARD, StepKind.SEND_EMAIL}
        assert not decision.cancel & {StepKind.WAKE_SIBLINGS, StepKind.KEEP_CARD}


def test_after_a_part_payment_the_case_is_about_the_rest() -> None:
    """Its budget is counted by the sum, and whoever looks at the case is told what is owed."""
    part = charge("ch_2", ChargeStatus.SUCCEEDED, amount=Money(minor=3000, currency="usd"))
    rest = Money(minor=OWED.minor - 3000, currency="usd")
    decision = told(opened(), facts.PartPaid(obligation=owed(remaining=rest, charges=(part,))))
    assert decision.case.amount == rest
    at_risk = next(entry for entry in decision.entries if entry.kind is EntryKind.AT_RISK_CHANGED)
    assert at_risk.amount == OWED
