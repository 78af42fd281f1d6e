"""Payments that are won back without a word to anybody."""

from datetime import UTC, datetime, timedelta

import pytest
from story_support import Begin

from recovery.cases.lifecycle import Source, State, StepKind
from recovery.simulation.answers import Answer, Verdict

pytest_plugins = ["story_fixtures"]


@pytest.mark.parametrize(("shape", "told_in"), [("basil", None), ("legacy", None), ("basil", "legacy")])
def test_insufficient_funds_are_recovered_silently(begin: Begin, shape: str, told_in: str | None) -> None:
    life = begin(shape=shape, event_shape=told_in)
    life.fail("insufficient_funds", "insufficient_funds", "approve")
    life.run(days=30)
    case = life.case()
    assert (case.state, case.source, len(case.attempts)) == (State.RECOVERED, Source.SILENT_RETRY, 2)
    assert life.booked() == {"at_risk": 4900, "recovered": 4900}
    assert life.mails.messages == []
    # The next payday is the Friday; after it the four days end so shortly before the 15th that the try waits for it.
    assert [at.date().isoformat() for at in life.tries()] == ["2026-10-09", "2026-10-15"]
    assert "payday Fri 09 Oct (weekday friday)" in life.reasons()
    assert "payday Thu 15 Oct (day 15)" in life.reasons()


def test_an_ill_issuer_is_tried_again_before_an_empty_account_would_be(begin: Begin) -> None:
    life = begin()
    life.fail("issuer_not_available", "processing_error", "approve")
    life.run(days=5)
    assert life.case().source is Source.SILENT_RETRY
    first, second = life.tries()
    # 16 hours later it is night from New York to Los Angeles: 09:00 there is 06:00 here. Then two days, to the hour.
    opens_at = datetime(2026, 10, 7, 13, tzinfo=UTC)
    assert opens_at <= first <= opens_at + timedelta(minutes=46)
    assert timedelta(hours=48) <= second - first <= timedelta(hours=48, minutes=46)


def test_a_code_that_nobody_knows_is_treated_with_care_and_reported(begin: Begin) -> None:
    life = begin()
    strange = Answer(verdict=Verdict.DECLINED, code="card_declined", decline_code="moon_phase")
    life.fail(strange, "approve")
    life.run(days=10)
    assert life.case().source is Source.SILENT_RETRY
    assert "unknown_code:unknown code moon_phase" in life.flags()


def test_a_card_from_the_updater_is_charged_at_once(begin: Begin) -> None:
    life = begin()
    life.fail("expired_card", "approve")
    assert life.case().step(StepKind.CHARGE_CARD) is None, "dead details are not planned"
    life.run(days=3, hours=1)
    pushed_at = life.now
    life.sandbox.refresh_card(life.card(), exp_month=11, exp_year=2031)
    life.work()
    case = life.case()
    assert (case.state, case.source) == (State.RECOVERED, Source.REFRESHED_CARD)
    assert life.tries() == [pushed_at]
    assert life.mails.messages == []


def test_fresh_details_are_found_by_reading_when_the_updaters_word_is_lost(begin: Begin) -> None:
    life = begin()
    life.fail("expired_card", "approve")
    life.sandbox.faults.set_probabilities({"lost": 1.0})
    life.run(days=2)
    life.sandbox.refresh_card(life.card(), exp_month=11, exp_year=2031)
    life.run(days=2)
    assert life.case().source is Source.REFRESHED_CARD
    assert life.tries() == [datetime(2026, 10, 9, 17, 0, tzinfo=UTC)]


def test_a_lost_card_is_left_alone_when_another_one_is_the_default(begin: Begin) -> None:
    life = begin()
    customer = life.sandbox.make_customer()
    life.sandbox.make_card(customer, ["lost_card"])
    life.invoice = life.sandbox.make_failed_invoice(customer)
    other = life.sandbox.make_card(customer, ["approve"], last4="1881")
    life.work()
    case = life.case()
    assert (case.state, case.source) == (State.RECOVERED, Source.REFRESHED_CARD)
    assert life.card() == other
    assert life.mails.messages == []
