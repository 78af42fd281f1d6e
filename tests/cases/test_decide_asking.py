"""The customer is asked once, after exhaustion, and not while money may be on its way."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cases_support import (
    CARD,
    FAILED_AT,
    LOST,
    OPEN_HOUR,
    asked,
    attempt,
    charge,
    opened,
    owed,
    planned,
    rules,
    told,
    waiting,
)

from recovery.cases import facts
from recovery.cases.lifecycle import AttemptStatus, Rule, State, StepKind
from recovery.cases.obligation import ChargeStatus
from recovery.cases.wallet import KeptCard, Place

EMAIL = facts.EmailDue(obligation=owed(), step_id=5)


def test_the_email_follows_exhaustion_and_comes_once() -> None:
    begun = told(asked(opened(), emails=0), EMAIL)
    assert (begun.email, begun.template) == (2, "payment_due")
    assert told(asked(opened(), emails=4), EMAIL).email is None, "four letters are all"
    assert told(opened(), EMAIL).email is None


@pytest.mark.parametrize("pending", [True, False])
def test_the_email_waits_while_a_charge_is_open(pending: bool) -> None:
    case = asked(opened(), emails=0)
    reading = owed(charges=(charge("ch_9", ChargeStatus.PENDING),)) if pending else owed()
    case = case if pending else replace(case, attempts=(attempt(status=AttemptStatus.UNKNOWN),))
    decision = told(case, replace(EMAIL, obligation=reading))
    assert decision.email is None
    assert planned(decision) == {StepKind.SEND_EMAIL: OPEN_HOUR + timedelta(hours=1)}


def test_a_card_that_must_not_be_tried_again_is_exhausted_at_once() -> None:
    decision = told(opened(LOST), facts.CardRefreshed(obligation=owed(), card=opened().card, step_id=2))
    assert decision.case.state is State.DUNNING
    assert decision.case.exhausted is not None
    assert decision.case.exhausted.rule is Rule.NEVER_AGAIN
    assert planned(decision)[StepKind.SEND_EMAIL] == OPEN_HOUR
    assert planned(decision)[StepKind.CLOSE_CASE] == OPEN_HOUR + timedelta(days=rules().policy.dunning.wait_days)


def test_a_refused_email_is_tried_again_and_not_for_ever() -> None:
    case = replace(asked(opened(), emails=0), email_tries=1)
    refused = facts.EmailRefused(email_id="mail", detail="451", permanent=False)
    assert StepKind.SEND_EMAIL in planned(told(case, refused))
    left_out = told(replace(case, letter_tries=rules().policy.dunning.email_tries_max), refused)
    assert left_out.case.letters_done == 1
    assert planned(left_out)[StepKind.SEND_EMAIL] >= OPEN_HOUR + timedelta(days=3)
    stopped = told(case, replace(refused, permanent=True))
    assert stopped.plan == ()
    assert stopped.case.mail_stopped


def test_what_is_our_own_matter_costs_the_customer_no_letter() -> None:
    """A wrong password over a weekend: the letter goes on being tried as long as the case lasts."""
    case = replace(asked(opened(), emails=0), email_tries=1, letter_tries=1)
    ours = facts.EmailRefused(email_id="mail", detail="the mail server refused our login", permanent=False, ours=True)
    for number in range(rules().policy.dunning.email_tries_max + 2):
        decision = told(replace(case, email_tries=number, letter_tries=1), ours)
        assert (decision.case.letters_done, decision.case.letter_tries) == (0, 0)
        assert StepKind.SEND_EMAIL in planned(decision)
    assert "no try is counted" in str(decision.reason)
    worn = told(replace(case, letter_tries=rules().policy.dunning.email_tries_max), ours)
    assert worn.case.letters_done == 0


def test_a_worker_that_was_late_takes_back_that_its_email_left() -> None:
    believed = facts.EmailRefused(email_id="mail", detail="too slow", permanent=False, believed_sent=True)
    decision = told(asked(opened()), believed)
    assert decision.case.emails_sent == 0
    assert decision.case.emailed_at is None
    later = planned(decision)[StepKind.SEND_EMAIL]
    assert told(decision.case, EMAIL, now=later).email == 2


def test_the_end_waits_for_an_open_charge_and_comes_without_one() -> None:
    close = facts.CloseDue(obligation=owed(), step_id=6)
    assert told(asked(opened()), close).case.state is State.LOST
    open_one = replace(asked(opened()), attempts=(attempt(status=AttemptStatus.PROCESSING),))
    assert planned(told(open_one, close)) == {StepKind.CLOSE_CASE: OPEN_HOUR + timedelta(days=1)}


def test_nobody_is_given_up_unasked() -> None:
    """The first letter was set aside for a person to look at, or the mail server is away: the case waits with it."""
    close = facts.CloseDue(obligation=owed(), step_id=6)
    due = waiting(StepKind.SEND_EMAIL, due_at=OPEN_HOUR - timedelta(days=13))
    unasked = replace(asked(opened(), emails=0), steps=(due,))
    assert planned(told(unasked, close)) == {StepKind.CLOSE_CASE: OPEN_HOUR + timedelta(days=1)}
    again = waiting(StepKind.SEND_EMAIL, due_at=OPEN_HOUR + timedelta(hours=4))
    assert told(replace(unasked, steps=(again,)), close).case.state is State.DUNNING
    capped = waiting(StepKind.SEND_EMAIL, due_at=OPEN_HOUR + timedelta(days=9))
    for over in (
        replace(unasked, steps=(capped,)),
        replace(unasked, mail_stopped=True),
        replace(asked(opened()), steps=(due,)),
    ):
        assert told(over, close).case.state is State.LOST


def test_the_end_waits_for_fresh_details_that_nobody_told_of() -> None:
    """The news of a card was lost, and with emails refused nothing else read the cards before the case was given up."""
    fresh = replace(CARD, payment_method="pm_9", fingerprint="fp_9", last4="0009")
    close = facts.CloseDue(obligation=owed(card=fresh), step_id=6)
    case = asked(opened())
    assert planned(told(case, close)) == {
        StepKind.REFRESH_CARD: OPEN_HOUR,
        StepKind.CLOSE_CASE: OPEN_HOUR + timedelta(days=1),
    }
    trying = replace(case, card=fresh, steps=(waiting(StepKind.CHARGE_CARD, due_at=OPEN_HOUR + timedelta(days=2)),))
    assert planned(told(trying, close)) == {StepKind.CLOSE_CASE: OPEN_HOUR + timedelta(days=3)}
    read = replace(case, wallet=(KeptCard(card=fresh, place=Place.CUSTOMER),))
    assert told(read, close).case.state is State.LOST, "the reading that showed it decided"


def test_review_is_brought_up_again_until_a_person_decides() -> None:
    held = replace(opened(), state=State.REVIEW, steps=(waiting(StepKind.ESCALATE),))
    assert StepKind.ESCALATE in planned(told(held, facts.EscalationDue(step_id=7)))
    for to in (State.LOST, State.WITHDRAWN):
        assert told(held, facts.PersonDecided(to=to, note="x", decided_at=FAILED_AT)).case.state is to
    goes_on = told(held, facts.PersonDecided(to=State.SILENT, note="x", decided_at=FAILED_AT))
    assert goes_on.case.state is State.SILENT
    assert StepKind.REFRESH_CARD in planned(goes_on)
    assert StepKind.ESCALATE in goes_on.cancel


def test_other_payment_methods_go_to_a_person() -> None:
    bare = replace(opened(), verdict=None)
    debit = facts.PaymentFailed(charge=charge(), obligation=owed(pays_by_card=False))
    decision = told(bare, debit)
    assert decision.case.state is State.REVIEW
    assert planned(decision).keys() == {StepKind.ESCALATE}
