"""What an edition would make of a planned try, whatever the try is for."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cases_support import CARD, MORNING_AFTER, OPEN_HOUR, OTHER, OWED, asked, opened, rules, waiting

from recovery.cases.case import Case
from recovery.cases.lifecycle import StepKind
from recovery.cases.project import foreseen
from recovery.cases.rules import CardUse, Rules
from recovery.cases.wallet import KeptCard, Place
from recovery.declines.networks import Advice, CodeRule, NetworkRules
from recovery.declines.signals import Signals
from recovery.timing.budgets import Use

DUE = MORNING_AFTER
PLANNED = (waiting(StepKind.CHARGE_CARD, due_at=DUE),)
USED = CardUse(budget_key=CARD.budget_key, uses=(Use(at=OPEN_HOUR - timedelta(days=3), amount=OWED, declined=True),))
NO_FUNDS = Signals(decline_code="insufficient_funds", network_decline_code="51")

LADDER = opened(steps=PLANNED)
PAYDAY = replace(asked(opened(NO_FUNDS)), steps=PLANNED)
CHOSEN_DATE = replace(asked(opened(NO_FUNDS)), steps=PLANNED, wished_at=DUE)
FRESH = replace(opened(NO_FUNDS), steps=PLANNED, card=replace(CARD, exp_year=2035))
KINDS = {"ladder": LADDER, "payday": PAYDAY, "chosen date": CHOSEN_DATE, "fresh": FRESH}


def under(*, tries_max: int = 20, forbidden: bool = False) -> Rules:
    pack = rules().networks.in_force("visa", DUE)
    codes = {**pack.decline_codes, "51": CodeRule(advice=Advice.NEVER_AGAIN, reason="a stricter edition")}
    bent = replace(
        pack,
        caps=tuple(replace(cap, tries_max=tries_max) for cap in pack.caps),
        decline_codes=codes if forbidden else pack.decline_codes,
    )
    return replace(rules(), networks=NetworkRules(packs=(bent,)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stricter_cap_is_foreseen_for_every_kind_of_try(kind: str) -> None:
    before, after = (foreseen(KINDS[kind], under(tries_max=most), USED, now=OPEN_HOUR) for most in (20, 1))
    assert before is not None
    assert after is not None
    assert before.at is not None
    assert after.at is None or after.at > before.at
    assert "budget of visa-2026-04 is used up" in after.reason or "30 days" in after.reason


@pytest.mark.parametrize("kind", ["payday", "chosen date"])
def test_a_code_that_becomes_final_is_foreseen(kind: str) -> None:
    found = foreseen(KINDS[kind], under(forbidden=True), USED, now=OPEN_HOUR)
    assert found is not None
    assert found.at is None


@pytest.mark.parametrize(
    "case", [opened(), opened(steps=(waiting(StepKind.CHARGE_CARD, in_flight=True),)), opened(steps=PLANNED, card=None)]
)
def test_where_nothing_is_planned_nothing_is_foreseen(case: Case) -> None:
    assert foreseen(case, under(), USED, now=OPEN_HOUR) is None


def test_nothing_is_said_of_a_card_whose_use_was_not_looked_up() -> None:
    chosen = (KeptCard(card=CARD, place=Place.SUBSCRIPTION), KeptCard(card=OTHER, place=Place.CUSTOMER))
    turned = replace(asked(opened(NO_FUNDS)), steps=PLANNED, wallet=chosen, choice=OTHER.payment_method)
    assert foreseen(turned, under(), USED, now=OPEN_HOUR) is None
