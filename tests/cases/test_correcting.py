"""A corrected billing address: the same entry is charged once more, and nothing else is brought back by it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cases_support import (
    CARD,
    EXPIRED,
    FAILED_AT,
    FUNDS,
    LOST,
    NIGHT,
    attempt,
    charge,
    opened,
    owed,
    planned,
    rules,
    told,
)

from recovery.cases import facts
from recovery.cases.answers import Declined, NotSent, Succeeded
from recovery.cases.case import Case, Decision, Purpose
from recovery.cases.choosing import card_read
from recovery.cases.decide import decide
from recovery.cases.lifecycle import AttemptStatus, Source, State, StepKind
from recovery.cases.obligation import Charge, ChargeStatus
from recovery.cases.rules import CardUse
from recovery.cases.updating import Closed
from recovery.cases.wallet import KeptCard, Place
from recovery.declines.signals import Card, Initiator, Signals

ZIP = Signals(error_code="incorrect_zip", decline_code="incorrect_zip")
CONFIRM = Signals(error_code="card_declined", decline_code="generic_decline", advice_code="confirm_card_data")
AT = FAILED_AT + timedelta(days=2)


def read(case: Case, *charges: Charge, due: bool = False, card: Card = CARD, now: datetime = NIGHT) -> Decision:
    kept = KeptCard(card=card, place=Place.CUSTOMER, saved_at=FAILED_AT - timedelta(days=90))
    kind = facts.ChargeDue if due else facts.CardRefreshed
    shown = owed(charges=charges or (charge(signals=case.signals),))
    fact = kind(obligation=shown, card=card, cards=(kept,), step_id=1)
    chosen = card_read(case, fact, now=now, rules=rules())
    usage = CardUse(budget_key=chosen.budget_key if chosen else "", uses=())
    return decide(case, fact, now=now, rules=rules(), usage=usage)


def corrected(case: Case, at: datetime = AT, method: str = "pm_1") -> Case:
    news = facts.PaymentMethodChanged(event_id=f"evt_{at}", what="the gateway says", corrected=method, at=at)
    decision = told(case, news)
    assert StepKind.REFRESH_CARD in planned(decision) or case.state not in (State.SILENT, State.DUNNING)
    return decision.case


def asked_for(signals: Signals) -> Case:
    """The case after its first reading: no silent try could help."""
    case = read(opened(signals)).case
    assert case.state is State.DUNNING
    return case


def begun(case: Case) -> Case:
    """The case with the try begun that a reading of just now planned."""
    started = read(case, due=True)
    assert started.start is not None
    return started.case


def answered(case: Case, answer: Declined | NotSent | Succeeded) -> Decision:
    return told(case, facts.AttemptAnswered(attempt_id=case.attempts[-1].id, answer=answer), now=NIGHT)


@pytest.mark.parametrize("signals", [ZIP, Signals(decline_code="incorrect_address"), CONFIRM])
def test_a_corrected_address_is_charged_at_once_whatever_the_hour(signals: Signals) -> None:
    case = opened(signals) if signals is CONFIRM else asked_for(signals)
    assert case.is_dead(CARD)
    decision = read(corrected(case))
    assert planned(decision)[StepKind.CHARGE_CARD] == NIGHT
    assert "its billing address was corrected" in str(decision.reason)
    start = read(decision.case, due=True).start
    assert start is not None
    assert (start.card, start.purpose) == (CARD, Purpose.CUSTOMER_CARD)


@pytest.mark.parametrize(
    "signals",
    [
        LOST,
        EXPIRED,
        Signals(decline_code="incorrect_cvc"),
        Signals(decline_code="card_not_supported"),
        replace(ZIP, network_decline_code="41"),
    ],
)
def test_it_brings_back_nothing_that_failed_for_another_reason(signals: Signals) -> None:
    case = read(corrected(opened(signals))).case
    assert case.is_dead(CARD)
    assert StepKind.CHARGE_CARD not in planned(read(case))
    assert read(case, due=True).start is None


def test_an_entry_that_was_also_lost_whoever_tried_stays_dead() -> None:
    case = corrected(asked_for(ZIP))
    theirs = charge("ch_2", signals=LOST, created_at=AT - timedelta(hours=1), initiator=Initiator.CUSTOMER)
    assert StepKind.CHARGE_CARD not in planned(read(case, charge(signals=ZIP), theirs))


def test_without_a_number_nobody_can_tell_the_entry_from_the_card() -> None:
    thin = replace(CARD, fingerprint=None)
    case = corrected(asked_for(ZIP))
    assert StepKind.CHARGE_CARD not in planned(read(case, charge(signals=ZIP, card=thin), card=thin))


def test_another_entrys_correction_changes_nothing() -> None:
    case = corrected(asked_for(ZIP), method="pm_2")
    assert StepKind.CHARGE_CARD not in planned(read(case))


def test_a_correction_from_before_the_decline_changes_nothing() -> None:
    case = corrected(asked_for(ZIP), at=FAILED_AT - timedelta(minutes=1))
    assert StepKind.CHARGE_CARD not in planned(read(case))


def test_it_is_tried_once_and_a_second_correction_brings_it_back_no_more() -> None:
    case = begun(read(corrected(asked_for(ZIP))).case)
    refused = answered(case, Declined(signals=ZIP, charge_id="ch_2")).case
    assert refused.is_dead(CARD)
    assert refused.state is State.DUNNING
    again = corrected(refused, at=NIGHT + timedelta(days=1))
    charges = (charge(signals=ZIP), charge("ch_2", signals=ZIP, created_at=NIGHT))
    after = read(again, *charges, now=NIGHT + timedelta(days=1))
    assert StepKind.CHARGE_CARD not in planned(after)


def test_a_try_that_was_never_sent_is_made_again() -> None:
    case = begun(read(corrected(asked_for(ZIP))).case)
    unsent = answered(case, NotSent(detail="rate limited"))
    assert StepKind.CHARGE_CARD in planned(unsent)
    assert read(unsent.case, due=True).start is not None


def test_the_customer_is_credited_and_the_subscriptions_default_stays() -> None:
    case = begun(read(corrected(asked_for(ZIP))).case)
    won = charge("ch_2", ChargeStatus.SUCCEEDED, created_at=NIGHT)
    done = answered(case, Succeeded(charge=won))
    assert (done.case.state, done.case.source) == (State.RECOVERED, Source.CUSTOMER_UNASKED)
    assert StepKind.KEEP_CARD not in planned(done)


def test_a_correction_that_comes_while_an_attempt_is_open_is_weighed_once_its_answer_is_known() -> None:
    flying = replace(opened(), attempts=(attempt(),))
    heard = corrected(flying, at=NIGHT)
    assert "an attempt is still open" in str(read(heard).reason)
    refused = told(
        heard,
        facts.AttemptAnswered(attempt_id="case_in_1-1", answer=Declined(signals=ZIP, charge_id="ch_2")),
        now=NIGHT,
    )
    assert planned(refused) == {StepKind.REFRESH_CARD: NIGHT}
    assert refused.case.attempts[0].status is AttemptStatus.DECLINED
    decision = read(refused.case, charge(), charge("ch_2", signals=ZIP, created_at=NIGHT))
    assert StepKind.CHARGE_CARD in planned(decision)


def test_a_refusal_that_is_told_after_its_correction_does_not_bury_the_entry_again() -> None:
    alive = read(corrected(asked_for(ZIP))).case
    late = charge("ch_0", signals=ZIP, created_at=AT - timedelta(hours=2), initiator=Initiator.CUSTOMER)
    heard = told(alive, facts.PaymentFailed(charge=late, obligation=owed()), now=NIGHT).case
    assert not heard.is_dead(CARD)
    since = replace(late, id="ch_3", created_at=AT + timedelta(hours=2))
    assert told(alive, facts.PaymentFailed(charge=since, obligation=owed()), now=NIGHT).case.is_dead(CARD)


def test_two_corrections_out_of_order_are_one() -> None:
    case = corrected(corrected(asked_for(ZIP)), at=AT - timedelta(days=1))
    assert [each.at for each in case.corrections] == [AT]


def test_a_backup_card_whose_address_was_corrected_stays_a_backup() -> None:
    case = corrected(asked_for(ZIP))
    first = replace(CARD, payment_method="pm_7", fingerprint="fp_7")
    kept = (KeptCard(card=first, place=Place.CUSTOMER), KeptCard(card=CARD, place=Place.ATTACHED))
    shown = owed(charges=(charge(signals=ZIP),))
    fact = facts.CardRefreshed(obligation=shown, card=first, cards=kept, step_id=1)
    usage = CardUse(budget_key=first.budget_key, uses=())
    after = decide(case, fact, now=NIGHT, rules=rules(), usage=usage).case
    assert after.purpose_of(CARD) is Purpose.BACKUP_CARD


def test_once_tried_it_is_an_ordinary_card_again() -> None:
    """What lacks funds then waits for its hours and days like any other."""
    case = begun(read(corrected(asked_for(ZIP))).case)
    poor = answered(case, Declined(signals=FUNDS, charge_id="ch_2")).case
    assert not poor.is_dead(CARD)
    assert poor.purpose_of(CARD) is Purpose.SILENT
    charges = (charge(signals=ZIP), charge("ch_2", created_at=NIGHT))
    assert read(poor, *charges, due=True).start is None


def test_a_correction_is_not_used_up_while_an_attempt_that_it_may_cure_is_open() -> None:
    flying = replace(opened(), attempts=(attempt(),), dead_cards=(replace(CARD, fingerprint=None),))
    theirs = charge("ch_0", signals=ZIP, initiator=Initiator.CUSTOMER)
    assert [each.lifted_after for each in read(corrected(flying), charge(), theirs).case.corrections] == [None]


def test_what_another_entry_was_mistyped_stays_dead() -> None:
    other = replace(CARD, payment_method="pm_2", fingerprint=None)
    case = asked_for(ZIP)
    both = replace(case, dead_cards=(*case.dead_cards, other))
    assert read(corrected(both)).case.dead_cards == (other,)


def test_an_account_that_the_updater_calls_closed_is_dead_and_not_only_its_mistyped_entry() -> None:
    """The entry was dead already, so the account was not noted: under another name, or once corrected, it was charged."""
    kept = KeptCard(card=CARD, place=Place.CUSTOMER)
    shown = owed(charges=(charge(signals=ZIP),))
    asked = facts.CardRefreshed(obligation=shown, card=CARD, cards=(kept,), step_id=1, asked=CARD, updater=Closed())
    case = decide(opened(ZIP), asked, now=NIGHT, rules=rules(), usage=CardUse(budget_key="fp_1", uses=())).case
    assert case.is_dead(replace(CARD, payment_method="pm_9"))
    assert StepKind.CHARGE_CARD not in planned(read(corrected(case)))
