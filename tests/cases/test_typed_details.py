"""Declines about what was typed, and readings that leave something out: neither may bring dead details back, or bury live ones."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cases_support import CARD, EXPIRED, FAILED_AT, LOST, NIGHT, OTHER, charge, opened, owed, planned, rules

from recovery.cases import facts
from recovery.cases.case import Case, Decision, Purpose
from recovery.cases.choosing import card_read
from recovery.cases.decide import decide
from recovery.cases.lifecycle import State, StepKind
from recovery.cases.rules import CardUse
from recovery.cases.wallet import KeptCard, Place
from recovery.declines.classify import DeclineClass
from recovery.declines.signals import Card, Signals

CVC = Signals(error_code="incorrect_cvc", decline_code="incorrect_cvc")
NUMBER = Signals(error_code="incorrect_number", decline_code="incorrect_number")
AGAIN = replace(CARD, payment_method="pm_9")
"""The same card, entered anew: another payment method, the same fingerprint."""


def read(case: Case, *cards: KeptCard, due: bool = False) -> Decision:
    kind = facts.ChargeDue if due else facts.CardRefreshed
    default = next((kept.card for kept in cards if kept.place is not Place.ATTACHED), None)
    fact = kind(obligation=owed(charges=(charge(signals=case.signals),)), card=default, cards=cards, step_id=1)
    card = card_read(case, fact, now=NIGHT, rules=rules())
    usage = CardUse(budget_key=card.budget_key if card else "", uses=())
    return decide(case, fact, now=NIGHT, rules=rules(), usage=usage)


def entered(card: Card) -> KeptCard:
    return KeptCard(card=card, place=Place.CUSTOMER, saved_at=FAILED_AT + timedelta(hours=3))


@pytest.mark.parametrize("code", ["incorrect_cvc", "invalid_cvc", "incorrect_zip", "incorrect_address"])
@pytest.mark.parametrize("network", [None, "N7"])
@pytest.mark.parametrize("advice", [None, "confirm_card_data"])
def test_a_card_entered_anew_after_a_slip_is_charged_at_once(
    code: str, network: str | None, advice: str | None
) -> None:
    told = Signals(error_code=code, decline_code=code, network_decline_code=network, advice_code=advice)
    case = opened(told)
    assert case.verdict is not None
    assert case.verdict.decline_class is DeclineClass.WRONG_DETAILS, "no updater cures what was typed"
    assert case.is_dead(CARD), "this very entry stays dead"
    decision = read(case, entered(AGAIN))
    assert planned(decision)[StepKind.CHARGE_CARD] == NIGHT
    begun = read(decision.case, entered(AGAIN), due=True).start
    assert begun is not None
    assert (begun.card, begun.purpose) == (AGAIN, Purpose.CUSTOMER_CARD)


@pytest.mark.parametrize("told", [NUMBER, LOST, Signals(decline_code="incorrect_cvc", network_decline_code="41")])
def test_a_dead_number_stays_dead_however_often_it_is_entered(told: Signals) -> None:
    case = opened(told)
    assert case.is_dead(AGAIN)
    assert StepKind.CHARGE_CARD not in planned(read(case, entered(AGAIN)))


def test_an_entry_that_was_mistyped_and_is_lost_too_is_dead_under_every_name() -> None:
    case = opened(CVC)
    lost = rules().verdict(LOST, CARD, FAILED_AT)
    assert not case.is_dead(AGAIN)
    assert replace(case, dead_cards=case.dead_after(CARD, lost)).is_dead(AGAIN)


def test_advice_to_confirm_the_data_buries_the_entry_and_not_the_card() -> None:
    case = opened(Signals(decline_code="generic_decline", advice_code="confirm_card_data"))
    assert (case.is_dead(CARD), case.is_dead(AGAIN)) == (True, False)
    number = opened(Signals(decline_code="incorrect_number", advice_code="confirm_card_data"))
    assert number.is_dead(AGAIN)


@pytest.mark.parametrize("left_out", ["fingerprint", "exp_month", "exp_year", "last4", "brand"])
def test_a_field_that_the_gateway_leaves_out_does_not_make_dead_details_fresh(left_out: str) -> None:
    gap: dict[str, Any] = {left_out: None}
    thin = replace(CARD, **gap)
    assert opened(LOST).is_dead(thin)
    case = replace(opened(LOST), dead_cards=(thin,), tried_card=thin)
    assert case.is_dead(CARD)
    assert StepKind.CHARGE_CARD not in planned(read(case, KeptCard(card=CARD, place=Place.CUSTOMER)))
    if left_out == "fingerprint":
        assert not thin.same_details(AGAIN), "without a number two entries are two cards"


def test_details_that_did_change_are_fresh_whatever_else_is_left_out() -> None:
    renewed = replace(CARD, fingerprint=None, exp_year=2035)
    assert not opened(EXPIRED).is_dead(renewed)
    assert StepKind.CHARGE_CARD in planned(read(opened(EXPIRED), KeptCard(card=renewed, place=Place.CUSTOMER)))


@pytest.mark.parametrize("told", [LOST, Signals(decline_code="do_not_honor", network_decline_code="R1")])
def test_never_again_is_said_of_the_number_whatever_expiry_it_has(told: Signals) -> None:
    """To the network a new expiry date on the same number is the same card; another number is another one."""
    renewed = replace(CARD, exp_year=2035)
    assert StepKind.CHARGE_CARD not in planned(read(opened(told), KeptCard(card=renewed, place=Place.CUSTOMER)))
    reissued = replace(renewed, fingerprint="fp_9", last4="0009")
    assert StepKind.CHARGE_CARD in planned(read(opened(told), KeptCard(card=reissued, place=Place.CUSTOMER)))
    stale = opened(EXPIRED)
    known = stale.dead_after(CARD, rules().verdict(told, CARD, FAILED_AT))
    assert replace(stale, dead_cards=known).is_dead(renewed), "known as out of date before"


def test_a_customer_without_cards_any_more_is_not_charged_on_the_last_one_known() -> None:
    """The reading was taken for no reading: the choice of before would have been charged although it was taken away."""
    chosen = KeptCard(card=OTHER, place=Place.CUSTOMER, saved_at=FAILED_AT + timedelta(hours=1))
    case = read(opened(LOST), chosen).case
    assert case.choice == "pm_2"
    after = read(case, due=True)
    assert after.start is None
    assert (after.case.wallet, after.case.choice, after.case.state) == ((), None, State.DUNNING)
