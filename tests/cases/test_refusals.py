"""What the network said of a card on another case holds on this one."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cases_support import CARD, FUNDS, LOST, OPEN_HOUR, OTHER, charge, opened, owed, planned, rules

from recovery.cases import facts
from recovery.cases.case import Decision
from recovery.cases.decide import decide
from recovery.cases.lifecycle import Rule, State, StepKind
from recovery.cases.policy import BackupUse
from recovery.cases.rules import CardUse, Refusal
from recovery.cases.wallet import KeptCard, Place
from recovery.declines.signals import Card, Signals

MASTERCARD = replace(CARD, brand="mastercard")
TEN_DAYS = replace(FUNDS, network_advice_code="30")
REVOKED = replace(FUNDS, network_decline_code="R1")


def due(card: Card, told: Signals, *, days_ago: float = 1, **others: object) -> Decision:
    """A try comes due on a card that another case tried so many days ago."""
    usage = CardUse(
        budget_key=card.budget_key,
        uses=(),
        refusals=(Refusal(at=OPEN_HOUR - timedelta(days=days_ago), signals=told),),
    )
    case = replace(opened(), card=card, tried_card=card, **others)  # type: ignore[arg-type]
    fact = facts.ChargeDue(obligation=owed(), card=card, step_id=1)
    return decide(case, fact, now=OPEN_HOUR, rules=rules(), usage=usage)


def test_a_wait_that_was_advised_on_another_case_is_kept() -> None:
    held = due(MASTERCARD, TEN_DAYS)
    assert held.start is None
    assert planned(held)[StepKind.CHARGE_CARD] >= OPEN_HOUR + timedelta(days=9)
    assert "the network advised for this card" in str(held.reason)


def test_a_wait_that_is_over_holds_nothing_back() -> None:
    assert due(MASTERCARD, TEN_DAYS, days_ago=10).start is not None
    assert due(MASTERCARD, FUNDS).start is not None


def test_neither_a_last_try_before_the_horizon_nor_one_between_letters_breaks_the_wait() -> None:
    held = due(MASTERCARD, TEN_DAYS, horizon_at=OPEN_HOUR + timedelta(days=8))
    assert held.case.exhausted is not None
    assert held.case.exhausted.rule is Rule.HORIZON
    payday = planned(held)[StepKind.CHARGE_CARD]
    heard = (Refusal(at=OPEN_HOUR - timedelta(days=1), signals=TEN_DAYS),)
    usage = CardUse(budget_key=MASTERCARD.budget_key, uses=(), refusals=heard)
    fact = facts.ChargeDue(obligation=owed(), card=MASTERCARD, step_id=2)
    between = decide(held.case, fact, now=payday, rules=rules(), usage=usage)
    assert payday < OPEN_HOUR + timedelta(days=9)
    assert between.start is None
    assert planned(between)[StepKind.CHARGE_CARD] >= OPEN_HOUR + timedelta(days=9)


def test_fresh_details_of_the_same_number_keep_the_wait_as_well() -> None:
    usage = CardUse(budget_key=MASTERCARD.budget_key, uses=(), refusals=(Refusal(at=OPEN_HOUR, signals=TEN_DAYS),))
    fresh = replace(MASTERCARD, exp_year=2035)
    fact = facts.CardRefreshed(obligation=owed(), card=fresh, step_id=1)
    case = replace(opened(), card=MASTERCARD, tried_card=MASTERCARD)
    decision = decide(case, fact, now=OPEN_HOUR, rules=rules(), usage=usage)
    assert planned(decision)[StepKind.CHARGE_CARD] >= OPEN_HOUR + timedelta(days=10)


def test_fresh_details_of_the_same_number_keep_the_wait_that_was_advised_on_this_case() -> None:
    verdict = rules().verdict(TEN_DAYS, MASTERCARD, OPEN_HOUR)
    case = replace(opened(), card=MASTERCARD, tried_card=MASTERCARD, verdict=verdict, last_failure_at=OPEN_HOUR)
    fact = facts.CardRefreshed(obligation=owed(), card=replace(MASTERCARD, exp_year=2035), step_id=1)
    usage = CardUse(budget_key=MASTERCARD.budget_key, uses=())
    decision = decide(case, fact, now=OPEN_HOUR, rules=rules(), usage=usage)
    assert planned(decision)[StepKind.CHARGE_CARD] >= OPEN_HOUR + timedelta(days=10)


@pytest.mark.parametrize("told", [REVOKED, LOST])
def test_a_card_that_another_case_was_told_never_to_try_again_is_not_tried(told: Signals) -> None:
    held = due(CARD, told)
    assert held.start is None
    assert held.case.is_dead(CARD)
    assert StepKind.CHARGE_CARD not in planned(held)


def test_that_card_stops_and_not_the_customer() -> None:
    usage = CardUse(budget_key=CARD.budget_key, uses=(), refusals=(Refusal(at=OPEN_HOUR, signals=LOST),))
    seen = (KeptCard(card=CARD, place=Place.CUSTOMER), KeptCard(card=OTHER, place=Place.ATTACHED, consent=True))
    fact = facts.ChargeDue(obligation=owed(), card=CARD, cards=seen, step_id=1)
    policy = rules().policy
    allowed = replace(rules(), policy=replace(policy, cards=replace(policy.cards, backup=BackupUse.WITH_CONSENT)))
    decision = decide(opened(), fact, now=OPEN_HOUR, rules=allowed, usage=usage)
    assert decision.case.state is State.SILENT
    assert decision.case.card == OTHER


def test_a_mistyped_entry_elsewhere_says_nothing_of_this_one() -> None:
    typed = Signals(error_code="incorrect_cvc", decline_code="incorrect_cvc")
    assert due(CARD, typed).start is not None


@pytest.mark.parametrize(("day", "forbidden"), [(23, False), (26, True)])
def test_what_was_said_is_judged_by_the_edition_at_the_try(day: int, forbidden: bool) -> None:
    """Visa's 57 is never tried again from 25 October 2026 on, whenever it was said."""
    now = OPEN_HOUR.replace(day=day)
    told = Signals(error_code="card_declined", decline_code="do_not_honor", network_decline_code="57")
    usage = CardUse(budget_key=CARD.budget_key, uses=(), refusals=(Refusal(at=now - timedelta(days=2), signals=told),))
    fact = facts.ChargeDue(obligation=owed(), card=CARD, step_id=1)
    decision = decide(opened(), fact, now=now, rules=rules(), usage=usage)
    assert decision.case.is_dead(CARD) is forbidden
    assert (decision.start is None) is forbidden


def test_of_two_waits_the_one_that_ends_last_is_kept() -> None:
    heard = (
        Refusal(at=OPEN_HOUR - timedelta(days=1), signals=TEN_DAYS),
        Refusal(at=OPEN_HOUR, signals=replace(FUNDS, network_advice_code="24")),
    )
    usage = CardUse(budget_key=MASTERCARD.budget_key, uses=(), refusals=heard)
    case = replace(opened(), card=MASTERCARD, tried_card=MASTERCARD)
    fact = facts.ChargeDue(obligation=owed(), card=MASTERCARD, step_id=1)
    held = decide(case, fact, now=OPEN_HOUR + timedelta(hours=2), rules=rules(), usage=usage)
    assert held.start is None
    assert planned(held)[StepKind.CHARGE_CARD] >= OPEN_HOUR + timedelta(days=9)


def test_advice_that_the_gateways_own_retry_brought_holds_though_the_expiry_was_renewed_since() -> None:
    """Told late, of the details of before: to the network it is the same card."""
    case = replace(opened(), card=replace(MASTERCARD, exp_year=2035), tried_card=MASTERCARD)
    theirs = charge("ch_retry", card=MASTERCARD, signals=TEN_DAYS, created_at=OPEN_HOUR)
    noted = decide(
        case,
        facts.PaymentFailed(charge=theirs, obligation=owed()),
        now=OPEN_HOUR + timedelta(hours=2),
        rules=rules(),
        usage=CardUse(budget_key="fp_1", uses=()),
    )
    assert "advises to wait 240 hours" in str(noted.reason)
    assert noted.case.last_failure_at == OPEN_HOUR
