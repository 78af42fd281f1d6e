"""A case in review goes on by itself with another card, but only where nothing else was missing."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cases_support import CARD, FAILED_AT, NIGHT, OTHER, asked, attempt, opened, owed, planned, rules, told, waiting

from recovery.cases import facts
from recovery.cases.case import Case, Decision, Purpose
from recovery.cases.choosing import card_read
from recovery.cases.decide import decide
from recovery.cases.lifecycle import AttemptStatus, Review, State, StepKind
from recovery.cases.rules import CardUse
from recovery.cases.wallet import KeptCard, Place

LONG_AGO = FAILED_AT - timedelta(days=300)
OWN = KeptCard(card=CARD, place=Place.SUBSCRIPTION, saved_at=LONG_AGO)
CHOSEN = KeptCard(card=OTHER, place=Place.CUSTOMER, saved_at=FAILED_AT + timedelta(days=2))


def held(because: Review | None, case: Case | None = None) -> Case:
    steps = (waiting(StepKind.ESCALATE),)
    return replace(case or opened(), state=State.REVIEW, review=because, steps=steps)


def read(case: Case, *cards: KeptCard, due: bool = False, pays_by_card: bool = True) -> Decision:
    fact_of = facts.ChargeDue if due else facts.CardRefreshed
    default = cards[0].card if cards and pays_by_card else None
    fact = fact_of(obligation=owed(pays_by_card=pays_by_card), card=default, cards=cards, step_id=1)
    card = card_read(case, fact, now=NIGHT, rules=rules())
    usage = CardUse(budget_key=card.budget_key if card else "", uses=())
    return decide(case, fact, now=NIGHT, rules=rules(), usage=usage)


@pytest.mark.parametrize(
    ("because", "goes_on"),
    [
        (Review.NOT_BY_CARD, True),
        (Review.NEVER_SENT, True),
        (Review.PUT_OFF, True),
        (Review.OUR_MISTAKE, False),
        (Review.GONE, False),
        (None, False),
    ],
)
def test_another_card_ends_a_review_only_where_a_way_to_charge_was_missing(
    *, because: Review | None, goes_on: bool
) -> None:
    decision = read(held(because), OWN, CHOSEN)
    assert decision.case.state is (State.SILENT if goes_on else State.REVIEW)
    assert (planned(decision) == {StepKind.CHARGE_CARD: NIGHT}) is goes_on, "at once, whatever the hour"
    assert (StepKind.ESCALATE in decision.cancel) is goes_on
    if goes_on:
        begun = read(decision.case, OWN, CHOSEN, due=True).start
        assert begun is not None
        assert (begun.card, begun.purpose) == (OTHER, Purpose.CUSTOMER_CARD)


def test_a_bank_debit_gives_way_to_a_card_that_the_customer_saves() -> None:
    """The subscription's own method is still the debit, which is no card of the wallet."""
    bare = replace(opened(), card=None, tried_card=None, failed_cards=(), brands_seen=())
    decision = read(held(Review.NOT_BY_CARD, bare), CHOSEN, pays_by_card=False)
    assert planned(decision) == {StepKind.CHARGE_CARD: NIGHT}


def test_the_card_that_could_not_be_charged_ends_no_review() -> None:
    """An attempt that was never sent leaves its card untried: any news would have begun it anew, for ever."""
    unsent = attempt(card=OTHER, status=AttemptStatus.NOT_SENT, purpose=Purpose.CUSTOMER_CARD)
    case = held(Review.NEVER_SENT, opened(attempts=(unsent,), choice="pm_2"))
    assert read(case, OWN, CHOSEN).case.state is State.REVIEW
    assert read(held(Review.NEVER_SENT), OWN).case.state is State.REVIEW


def test_a_backup_or_an_open_attempt_ends_no_review() -> None:
    backup = KeptCard(card=OTHER, place=Place.ATTACHED, saved_at=LONG_AGO, consent=True)
    assert read(held(Review.NEVER_SENT), OWN, backup).case.state is State.REVIEW
    busy = held(Review.NOT_BY_CARD, opened(attempts=(attempt(status=AttemptStatus.UNKNOWN),)))
    assert read(busy, OWN, CHOSEN).case.state is State.REVIEW


def test_a_customer_who_was_asked_before_the_review_is_asked_again_should_the_card_fail() -> None:
    decision = read(held(Review.NEVER_SENT, asked(opened())), OWN, CHOSEN)
    assert decision.case.state is State.DUNNING
    assert planned(decision)[StepKind.CHARGE_CARD] == NIGHT
    assert StepKind.CLOSE_CASE in planned(decision)
    assert not decision.cancel & {StepKind.CHARGE_CARD, StepKind.CLOSE_CASE}


def test_a_person_who_lets_a_case_go_on_leaves_no_reason_behind() -> None:
    goes_on = told(held(Review.PUT_OFF), facts.PersonDecided(to=State.SILENT, note="x", decided_at=FAILED_AT))
    assert goes_on.case.review is None
