"""What a reading shows for the first time when a try comes due: planning never saw it, so firing alone can hold it back."""

from dataclasses import replace

import pytest
from cases_support import CARD, OPEN_HOUR, opened, owed, told

from recovery.cases import facts
from recovery.cases.lifecycle import Rule
from recovery.cases.wallet import KeptCard, Place
from recovery.declines.signals import Card

REISSUED = replace(CARD, fingerprint="fp_9", last4="9999", exp_year=2034)


def first_shown_when_due(card: Card) -> facts.ChargeDue:
    seen = (KeptCard(card=card, place=Place.CUSTOMER),)
    return facts.ChargeDue(obligation=owed(), card=card, cards=seen, step_id=1)


@pytest.mark.parametrize("card", [replace(REISSUED, brand="mastercard"), replace(REISSUED, country="IN")])
def test_a_card_that_needs_its_holder_now_is_not_charged(card: Card) -> None:
    before = replace(opened(), wallet=(KeptCard(card=CARD, place=Place.CUSTOMER),))
    decision = told(before, first_shown_when_due(card), now=OPEN_HOUR)
    assert decision.start is None
    assert decision.case.exhausted is not None
    assert decision.case.exhausted.rule is Rule.ONLY_CUSTOMER


def test_fresh_details_are_charged_at_once() -> None:
    before = replace(opened(), wallet=(KeptCard(card=CARD, place=Place.CUSTOMER),))
    decision = told(before, first_shown_when_due(REISSUED), now=OPEN_HOUR)
    assert decision.start is not None
    assert decision.start.card == REISSUED
