"""Payments that only the customer can save: emails, after everything else."""

from datetime import datetime, timedelta

import pytest
from story_support import Begin, Life

from recovery.cases.case import Purpose
from recovery.cases.lifecycle import Rule, Source, State

pytest_plugins = ["story_fixtures"]


def _only_mail(life: Life) -> str:
    """The text of the first email, the only one so far."""
    assert len(life.mails.messages) == 1
    part = life.mails.messages[0].message.get_body(("plain",))
    return str(part.get_content())


@pytest.mark.parametrize("shape", ["basil", "legacy"])
def test_a_customer_pays_after_the_first_email(begin: Begin, shape: str) -> None:
    life = begin(shape=shape)
    life.fail_on(("do_not_honor",), {"email": "kim@example.org", "name": "Kim", "locales": ["de-AT"]})
    life.run(days=19)
    assert life.mails.messages == [], "the silent tries are not over"
    life.run(days=3)
    case = life.case()
    assert case.exhausted is not None
    assert (case.state, case.exhausted.rule, len(case.attempts)) == (State.DUNNING, Rule.ATTEMPTS, 4)
    page = life.sandbox.read(life.invoice)["hosted_invoice_url"]
    body, sent = _only_mail(life), life.mails.messages[0].message
    assert page in body
    assert "Guten Tag Kim" in body
    assert "Endziffern 4242" in body
    assert "49,00 an Example hat nicht geklappt" in sent["Subject"]
    assert (sent["Content-Language"], sent["Auto-Submitted"]) == ("de", "auto-generated")
    assert life.mails.messages[0].recipients == ("kim@example.org",)
    better = life.sandbox.make_card(case.customer, ["approve"], default=False)
    life.sandbox.customer_pays(life.invoice, method=better)
    life.run(days=30)
    case = life.case()
    assert (case.state, case.source) == (State.RECOVERED, Source.CUSTOMER_AFTER_EMAIL)
    assert len(life.mails.messages) == 1


def test_a_lost_card_is_never_tried_again_and_nobody_says_why(begin: Begin) -> None:
    life = begin()
    life.fail("lost_card")
    assert "lost" not in _only_mail(life).lower()
    life.run(days=60)
    case = life.case()
    assert case.exhausted is not None
    assert (case.state, case.exhausted.rule) == (State.LOST, Rule.NEVER_AGAIN)
    assert life.tries() == []
    assert life.booked() == {"at_risk": 4900, "written_off": 4900}


def test_a_lost_payment_that_comes_late_is_recovered_after_all(begin: Begin) -> None:
    life = begin()
    life.fail("lost_card")
    life.run(days=20)
    assert life.case().state is State.LOST
    better = life.sandbox.make_card(life.customer(), ["approve"], default=False)
    life.sandbox.customer_pays(life.invoice, method=better)
    life.work()
    case = life.case()
    assert (case.state, case.source) == (State.RECOVERED, Source.CUSTOMER_AFTER_EMAIL)
    assert life.booked() == {"at_risk": 4900, "written_off": 4900, "reinstated": 4900, "recovered": 4900}


@pytest.mark.parametrize("answer", ["authentication_required", "requires_action"])
def test_who_must_authenticate_is_asked_at_once(begin: Begin, answer: str) -> None:
    life = begin()
    life.fail(answer)
    case = life.case()
    assert case.exhausted is not None
    assert (case.state, case.exhausted.rule, case.exhausted.at) == (State.DUNNING, Rule.ONLY_CUSTOMER, life.now)
    _only_mail(life)
    life.run(days=2)
    life.sandbox.customer_pays(life.invoice)
    life.work()
    assert life.case().source is Source.CUSTOMER_AFTER_EMAIL
    assert life.tries() == []


def test_what_the_risk_engine_blocks_is_not_tried_blindly(begin: Begin) -> None:
    life = begin()
    life.fail("highest_risk_level")
    case = life.case()
    assert case.exhausted is not None
    assert case.exhausted.rule is Rule.ONLY_CUSTOMER
    assert "never saw it" in life.reasons()
    assert "fraud" not in _only_mail(life).lower()
    assert life.count("SELECT count(*) FROM foreign_charges WHERE counts") == 0, "the network never saw it"
    assert life.tries() == []


def test_a_card_changed_in_dunning_is_charged_at_once_even_at_night(begin: Begin) -> None:
    life = begin()
    life.fail("lost_card")
    life.run_until(datetime.fromisoformat("2026-10-08T07:30:00Z"))
    life.sandbox.make_card(life.customer(), ["approve"], last4="1881")
    life.work()
    case = life.case()
    assert (case.state, case.source) == (State.RECOVERED, Source.CUSTOMER_AFTER_EMAIL)
    assert life.tries() == [life.now]
    assert len(life.mails.messages) == 1


def test_a_second_card_that_fails_too_does_not_bring_an_email_of_its_own(begin: Begin) -> None:
    life = begin()
    life.fail("lost_card")
    life.run(days=1)
    life.sandbox.make_card(life.customer(), ["insufficient_funds"], last4="1881")
    life.run(hours=1)
    assert len(life.mails.messages) == 1
    life.run(days=40)
    assert life.case().state is State.LOST
    between = [attempt for attempt in life.case().attempts if attempt.purpose is Purpose.BETWEEN_EMAILS]
    assert len(life.tries()) == 1 + len(between)
    assert 1 <= len(between) <= 2
    assert len(life.mails.messages) == 4


def test_a_card_taken_off_leaves_only_the_customer(begin: Begin) -> None:
    life = begin()
    life.fail("insufficient_funds")
    life.run(hours=1)
    life.sandbox.detach_card(life.card())
    life.work()
    case = life.case()
    assert case.exhausted is not None
    assert case.exhausted.rule is Rule.NO_CARD
    _only_mail(life)


def test_an_expired_card_without_fresh_details_is_read_again_and_then_asked_for(begin: Begin) -> None:
    life = begin()
    life.fail("expired_card")
    life.run(days=13)
    assert life.mails.messages == []
    life.run(days=2)
    case = life.case()
    assert case.exhausted is not None
    assert (case.exhausted.rule, case.exhausted.at - case.failed_at) == (Rule.ONLY_CUSTOMER, timedelta(days=14))
    assert life.tries() == []
    _only_mail(life)


@pytest.mark.parametrize(
    ("currency", "minor", "shown"),
    [("jpy", 5000, "¥5,000"), ("kwd", 12345, "KWD12.345"), ("eur", 999, "€9.99")],
)
def test_money_is_counted_and_written_as_its_currency_is(begin: Begin, currency: str, minor: int, shown: str) -> None:
    life = begin()
    life.fail("authentication_required", amount_minor=minor, currency=currency)
    assert (
        life.mails.messages[0].message["Subject"].split(" to Example")[0] == f"Please confirm your payment of {shown}"
    )
    life.sandbox.customer_pays(life.invoice)
    life.work()
    assert life.booked() == {"at_risk": minor, "recovered": minor}
    assert {line.amount.currency for line in life.file().bookings} == {currency}
