"""The moment of firing: what was true at planning is checked again, and what was read may be older than what is known."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cases_support import (
    BEFORE_PAYDAY,
    CARD,
    EXPIRED,
    FAILED_AT,
    FUNDS,
    LOST,
    MORNING_AFTER,
    NIGHT,
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
from recovery.cases.case import Purpose
from recovery.cases.decide import decide
from recovery.cases.lifecycle import ENDS, AttemptStatus, EntryKind, Rule, Source, State, StepKind
from recovery.cases.obligation import ChargeStatus, ObligationStatus
from recovery.cases.rules import CardUse
from recovery.declines.networks import NetworkRules
from recovery.money import Money
from recovery.timing.budgets import Use

DUE = facts.ChargeDue(obligation=owed(), card=CARD, step_id=1)
REFRESHED = facts.CardRefreshed(obligation=owed(), card=CARD, step_id=2)
SPREAD = timedelta(minutes=rules().policy.jitter_minutes)


def test_a_due_try_inside_the_window_begins() -> None:
    decision = told(opened(), DUE)
    assert decision.start is not None
    assert decision.start.id == "case_in_1-1"
    assert decision.start.amount == OWED
    assert decision.start.purpose is Purpose.SILENT


def test_a_due_try_at_night_is_planned_anew() -> None:
    decision = told(opened(), DUE, now=NIGHT)
    assert decision.start is None
    assert "issuer night (risk 0.5 above 0.15)" in str(decision.reason)
    assert MORNING_AFTER <= planned(decision)[StepKind.CHARGE_CARD] <= MORNING_AFTER + SPREAD


def test_a_try_that_is_due_before_the_payday_waits_for_it() -> None:
    decision = told(opened(), DUE, now=BEFORE_PAYDAY)
    assert decision.start is None
    assert "payday Fri 09 Oct (weekday friday)" in str(decision.reason)
    slot = OPEN_HOUR - timedelta(hours=1)
    assert slot <= planned(decision)[StepKind.CHARGE_CARD] <= slot + SPREAD


@pytest.mark.parametrize("end", sorted(ENDS))
def test_an_ended_case_is_never_charged_whatever_was_read_before_its_end(end: State) -> None:
    ended = replace(opened(), state=end, ended_at=OPEN_HOUR)
    for fact in (
        DUE,
        replace(DUE, card=OTHER),
        REFRESHED,
        replace(REFRESHED, card=OTHER),
        replace(REFRESHED, card=None),
    ):
        decision = told(ended, fact)
        assert decision.start is None
        assert decision.plan == ()
        assert decision.case.state is end


def test_a_reading_that_shows_the_payment_recovers_even_what_was_lost() -> None:
    lost = replace(opened(), state=State.LOST, ended_at=OPEN_HOUR)
    money = charge("ch_2", ChargeStatus.SUCCEEDED, created_at=OPEN_HOUR)
    decision = told(lost, replace(REFRESHED, obligation=paid(money)))
    assert decision.case.state is State.RECOVERED
    assert [(entry.kind, entry.source) for entry in decision.entries] == [
        (EntryKind.RECOVERED, Source.CUSTOMER_UNASKED),
        (EntryKind.REINSTATED, None),
    ]


def test_no_silent_try_begins_after_the_horizon() -> None:
    for hours in range(1, 7 * 24):  # at night and when banks are open
        decision = told(opened(), DUE, now=opened().horizon_at + timedelta(hours=hours))
        assert decision.start is None
        assert decision.case.exhausted is not None
        assert decision.case.exhausted.rule is Rule.HORIZON


def test_a_gateway_that_goes_on_retrying_ends_at_the_horizon() -> None:
    retrying = replace(DUE, obligation=owed(gateway_retry_at=opened().horizon_at))
    assert told(opened(), retrying).case.state is State.DUNNING
    soon = replace(DUE, obligation=owed(gateway_retry_at=OPEN_HOUR + timedelta(hours=1)))
    assert planned(told(opened(), soon))[StepKind.CHARGE_CARD] == OPEN_HOUR + timedelta(hours=7)


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(seconds=20), timedelta(minutes=50), timedelta(hours=5)])
def test_no_try_goes_out_beside_a_retry_of_the_gateways_that_has_come_due(ago: timedelta) -> None:
    """It runs minutes late, or did not run yet: a reading names it until it has."""
    decision = told(opened(), replace(DUE, obligation=owed(gateway_retry_at=OPEN_HOUR - ago)))
    assert decision.start is None
    assert planned(decision)[StepKind.CHARGE_CARD] == OPEN_HOUR - ago + timedelta(hours=6)


def test_another_attempt_that_is_open_decides() -> None:
    busy = opened(attempts=(attempt(status=AttemptStatus.UNKNOWN),), steps=(waiting(StepKind.SETTLE_ATTEMPT),))
    assert told(busy, DUE).start is None


def test_a_pending_charge_of_somebody_elses_is_waited_for() -> None:
    pending = replace(DUE, obligation=owed(charges=(charge("ch_9", ChargeStatus.PENDING),)))
    decision = told(opened(), pending)
    assert decision.start is None
    assert planned(decision)[StepKind.CHARGE_CARD] == OPEN_HOUR + timedelta(hours=1)


@pytest.mark.parametrize("signals", [EXPIRED, LOST])
def test_dead_details_are_never_presented_again(signals: object) -> None:
    case = opened(EXPIRED if signals is EXPIRED else LOST)
    decision = told(case, DUE)
    assert decision.start is None
    assert StepKind.CHARGE_CARD not in planned(decision)


def test_a_dead_card_on_file_again_waits_for_a_fresh_one_instead_of_circling() -> None:
    """The newest decline was on another card and would allow retries; the dead one is on file again."""
    case = opened(dead_cards=(OTHER,), steps=(waiting(StepKind.CHARGE_CARD, in_flight=True),))
    for fact in (replace(DUE, card=OTHER), replace(REFRESHED, card=OTHER)):
        decision = told(case, fact)
        assert decision.start is None
        assert StepKind.CHARGE_CARD not in planned(decision)
        assert planned(decision)[StepKind.REFRESH_CARD] > OPEN_HOUR


def test_the_step_in_flight_is_no_wake_up_for_what_it_decides() -> None:
    """Otherwise the case would be left without one: the very step ends with this decision."""
    case = opened(dead_cards=(OTHER,), steps=(waiting(StepKind.CHARGE_CARD, in_flight=True),))
    assert told(case, replace(DUE, card=OTHER)).plan


def test_a_fresh_card_while_the_email_is_not_out_keeps_bank_hours_without_circling() -> None:
    """Planned for now and refused for the hour at once, it would be performed again and again all night."""
    case = asked(opened(), emails=0)
    planning = told(case, replace(REFRESHED, card=OTHER), now=NIGHT)
    due_at = planned(planning)[StepKind.CHARGE_CARD]
    assert due_at == MORNING_AFTER
    assert told(planning.case, replace(DUE, card=OTHER), now=due_at).start is not None


def test_a_customers_new_card_is_charged_at_once_even_at_night() -> None:
    case = asked(opened())
    planning = told(case, replace(REFRESHED, card=OTHER), now=NIGHT)
    assert planned(planning)[StepKind.CHARGE_CARD] == NIGHT
    begun = told(planning.case, replace(DUE, card=OTHER), now=NIGHT).start
    assert begun is not None
    assert begun.purpose is Purpose.CUSTOMER_CARD


def test_what_is_owed_now_is_charged_not_what_was_owed_before() -> None:
    less = Money(minor=3000, currency="usd")
    decision = told(opened(), replace(DUE, obligation=owed(remaining=less)))
    assert decision.start is not None
    assert decision.start.amount == less
    assert [(e.kind, e.amount) for e in decision.entries] == [(EntryKind.AT_RISK_CHANGED, less)]


def test_a_part_payment_is_booked_when_it_is_read_and_stays_at_risk_no_more() -> None:
    part = charge("ch_2", ChargeStatus.SUCCEEDED, amount=Money(minor=900, currency="usd"), created_at=OPEN_HOUR)
    rest = owed(remaining=Money(minor=4000, currency="usd"), charges=(part,))
    decision = told(opened(), replace(DUE, obligation=rest))
    booked = {entry.kind: entry.amount.minor for entry in decision.entries}
    assert booked == {EntryKind.AT_RISK_CHANGED: 4900, EntryKind.RECOVERED: 900}
    assert decision.case.amount.minor == 4000


def test_a_budget_used_up_is_kept() -> None:
    uses = tuple(Use(at=FAILED_AT + timedelta(minutes=n), amount=OWED, declined=True) for n in range(20))
    decision = told(opened(), DUE, uses=uses)
    assert decision.start is None
    assert decision.case.exhausted is not None, "the first free instant lies beyond the horizon"
    assert decision.case.exhausted.rule is Rule.HORIZON


@pytest.mark.parametrize(
    ("reading", "state"),
    [
        (owed(status=ObligationStatus.VOID), State.WITHDRAWN),
        (owed(status=ObligationStatus.UNCOLLECTIBLE), State.LOST),
        (owed(subscription_live=False), State.WITHDRAWN),
        (owed(remaining=Money(minor=0, currency="usd")), State.WITHDRAWN),
        (paid(), State.WITHDRAWN),
    ],
)
def test_a_reading_ends_what_is_no_longer_owed(reading: object, state: State) -> None:
    assert isinstance(reading, type(owed()))
    decision = told(opened(), replace(DUE, obligation=reading))
    assert decision.start is None
    assert decision.case.state is state


def test_the_policys_number_of_silent_tries_is_kept() -> None:
    spent = tuple(
        attempt(n + 1, AttemptStatus.DECLINED, signals=FUNDS, started_at=FAILED_AT)
        for n in range(rules().policy.silent_attempts_max)
    )
    decision = told(opened(attempts=spent), DUE)
    assert decision.start is None
    assert decision.case.exhausted is not None
    assert decision.case.exhausted.rule is Rule.ATTEMPTS


def test_a_card_that_dies_on_the_last_try_is_still_read_again_on_the_policys_days() -> None:
    """Waiting for fresh details uses up no attempt; the customer was written to the same hour."""
    spent = tuple(
        attempt(n + 1, AttemptStatus.DECLINED, signals=FUNDS, started_at=FAILED_AT)
        for n in range(rules().policy.silent_attempts_max)
    )
    dead = opened(EXPIRED, attempts=spent, last_failure_at=OPEN_HOUR)
    read = facts.CardRefreshed(obligation=owed(charges=(charge(signals=EXPIRED),)), card=CARD, step_id=1)
    decision = told(dead, read)
    assert decision.case.state is State.SILENT, decision.reason
    assert planned(decision) == {StepKind.REFRESH_CARD: OPEN_HOUR + timedelta(days=1)}


def test_a_longer_wait_by_a_new_edition_holds_for_what_is_planned_already() -> None:
    shipped, card = rules(), replace(CARD, brand="mastercard")
    signals = replace(FUNDS, network_advice_code="24")
    case = replace(opened(signals), card=card, tried_card=card)
    case = replace(case, verdict=shipped.verdict(signals, card, FAILED_AT))
    pack = next(each for each in shipped.networks.packs if each.network == "mastercard")
    longer = replace(
        pack,
        edition="2026-10",
        in_force_from=OPEN_HOUR.date(),
        advice_codes={**pack.advice_codes, "24": replace(pack.advice_codes["24"], hours=96)},
    )
    changed = replace(shipped, networks=NetworkRules(packs=(*shipped.networks.packs, longer)))
    due = facts.ChargeDue(obligation=owed(), card=card, step_id=1)
    usage = CardUse(budget_key=card.budget_key, uses=())
    assert decide(case, due, now=OPEN_HOUR, rules=shipped, usage=usage).start is not None
    held = decide(case, due, now=OPEN_HOUR, rules=changed, usage=usage)
    assert held.start is None
    assert planned(held)[StepKind.CHARGE_CARD] >= FAILED_AT + timedelta(hours=96)
