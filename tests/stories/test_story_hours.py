"""When a try is made: banks' hours, weekends and holidays where the card was issued, and what the networks allow."""

import re
from datetime import datetime, timedelta

import pytest
from story_house import Ways
from story_support import Begin

from recovery.cases.lifecycle import Rule, Source, State
from recovery.simulation.answers import Answer, Verdict
from recovery.simulation.sandbox import WebhookFault

pytest_plugins = ["story_fixtures"]

JITTER = timedelta(minutes=45)


@pytest.mark.parametrize(
    ("country", "code", "failed", "opens", "why"),
    [
        ("US", "do_not_honor", "2026-10-11T18:00Z", "2026-10-13T16:00Z", "bank holiday (Columbus Day)"),
        ("SA", "insufficient_funds", "2026-10-06T08:00Z", "2026-10-11T06:30Z", "bank weekend"),
        ("JP", "insufficient_funds", "2026-10-31T03:00Z", "2026-11-04T00:00Z", "bank holiday ("),
        ("GB", "insufficient_funds", "2026-10-07T12:00Z", "2026-10-12T08:00Z", "bank weekend"),
        ("NP", "insufficient_funds", "2026-11-18T06:00Z", "2026-11-22T04:15Z", "bank weekend"),
        # An ill issuer is tried in the evening and on weekends too, but not at night.
        ("DE", "processing_error", "2026-10-05T09:00Z", "2026-10-06T04:00Z", "issuer night"),
        ("NP", "processing_error", "2026-11-20T05:30Z", "2026-11-21T00:15Z", "issuer night"),
    ],
)
def test_a_try_waits_for_the_issuers_next_open_day(
    begin: Begin, country: str, code: str, failed: str, opens: str, why: str
) -> None:
    life = begin(ways=Ways(at=datetime.fromisoformat(failed)))
    life.fail_on((code, "approve"), country=country)
    life.run(days=10)
    opens_at = datetime.fromisoformat(opens)
    (tried_at,) = life.tries()
    assert opens_at <= tried_at <= opens_at + JITTER
    assert re.search(rf"rejected [^;]*: {re.escape(why)}", life.reasons())


@pytest.mark.parametrize(
    ("country", "funding", "failed", "opens", "why"),
    [
        # 48 hours to the minute before Friday 09:00 in New York; the west of the country opens three hours later.
        ("US", "credit", "2026-10-07T13:00Z", "2026-10-09T16:00Z", "payday Fri 09 Oct (weekday friday)"),
        # The 25th is a Sunday, and the one on which summer time ends.
        ("GB", "credit", "2026-10-23T12:00Z", "2026-10-26T09:00Z", "payday Mon 26 Oct (day 25)"),
        ("GB", "debit", "2026-10-23T12:00Z", "2026-10-26T00:01Z", "payday Mon 26 Oct (day 25)"),
    ],
)
def test_a_try_for_money_waits_for_the_payday_where_the_card_is_from(
    begin: Begin, country: str, funding: str, failed: str, opens: str, why: str
) -> None:
    life = begin(ways=Ways(at=datetime.fromisoformat(failed)))
    life.fail_on(("insufficient_funds", "approve"), country=country, funding=funding)
    life.run(days=10)
    opens_at = datetime.fromisoformat(opens)
    (tried_at,) = life.tries()
    assert opens_at <= tried_at <= opens_at + JITTER
    assert why in life.reasons()


@pytest.mark.parametrize(("advice", "hours"), [("24", 1), ("25", 24), ("30", 240)])
def test_mastercards_advice_sets_the_earliest_hour(begin: Begin, advice: str, hours: int) -> None:
    life = begin()
    told = Answer(
        verdict=Verdict.DECLINED,
        code="card_declined",
        decline_code="issuer_not_available",
        network_decline_code="91",
        network_advice_code=advice,
    )
    life.fail_on((told, "approve"), brand="mastercard", last4="4444")
    began_at = life.now
    life.run(days=15)
    (tried_at,) = life.tries()
    assert began_at + timedelta(hours=hours) <= tried_at <= began_at + timedelta(hours=hours, days=4)
    assert life.case().source is Source.SILENT_RETRY


def test_mastercards_never_again_outranks_a_soft_code(begin: Begin) -> None:
    life = begin()
    told = Answer(
        verdict=Verdict.DECLINED,
        code="card_declined",
        decline_code="insufficient_funds",
        advice_code="try_again_later",
        network_advice_code="03",
    )
    life.fail_on((told, "approve"), brand="mastercard", last4="4444")
    case = life.case()
    assert case.exhausted is not None
    assert case.exhausted.rule is Rule.NEVER_AGAIN
    assert "do not try again" in life.reasons()
    life.run(days=20)
    assert life.tries() == []


def test_two_invoices_on_one_card_are_each_paid_once(begin: Begin) -> None:
    life = begin()
    customer = life.sandbox.make_customer()
    life.sandbox.make_card(customer, ["insufficient_funds", "insufficient_funds", "approve"])
    first = life.sandbox.make_failed_invoice(customer)
    second = life.sandbox.make_failed_invoice(customer, amount_minor=1500)
    life.run(days=10)
    assert [life.case(invoice).state for invoice in (first, second)] == [State.RECOVERED] * 2
    assert (life.booked(first)["recovered"], life.booked(second)["recovered"]) == (4900, 1500)


def test_invoices_of_one_amount_share_the_twenty_tries_of_a_visa_card(begin: Begin) -> None:
    life = begin()
    customer = life.sandbox.make_customer()
    life.sandbox.make_card(customer, [*["insufficient_funds"] * 20, "approve"])
    twins = [life.sandbox.make_failed_invoice(customer) for _ in range(2)]
    other = life.sandbox.make_failed_invoice(customer, amount_minor=1500)
    for kind in ("payment_intent.payment_failed", "invoice.payment_failed"):
        life.sandbox.faults.queue([WebhookFault(kind="lost", event_type=kind)] * 17)
    for number in range(17):
        assert life.sandbox.customer_pays(twins[number % 2]) is not None
    life.run(days=40)
    states = {life.case(invoice).state: invoice for invoice in twins}
    assert set(states) == {State.RECOVERED, State.LOST}
    lost = states[State.LOST]
    assert life.tries(lost) == []
    assert "the budget of visa-2026-" in life.reasons(lost)
    used_up = life.case(lost).exhausted
    assert used_up is not None
    assert used_up.rule is Rule.HORIZON
    assert life.case(other).source is Source.SILENT_RETRY, "another amount has tries of its own"


def test_tries_that_are_known_to_be_the_customers_use_up_none_of_visas(begin: Begin) -> None:
    life = begin()
    customer = life.sandbox.make_customer()
    life.sandbox.make_card(customer, [*["insufficient_funds"] * 19, "approve"])
    twins = [life.sandbox.make_failed_invoice(customer) for _ in range(2)]
    life.work()
    for number in range(17):
        assert life.sandbox.customer_pays(twins[number % 2]) is not None
        life.work()
    life.run(days=10)
    assert [life.case(twin).source for twin in twins] == [Source.SILENT_RETRY] * 2


def test_after_the_october_edition_visa_57_is_final(begin: Begin) -> None:
    told = Answer(
        verdict=Verdict.DECLINED, code="card_declined", decline_code="service_not_allowed", network_decline_code="57"
    )
    life = begin(ways=Ways(at=datetime.fromisoformat("2026-10-20T17:00Z")))
    before = life.fail(told, told)
    life.run(days=3)
    assert len(life.tries(before)) == 1, "until the 25th it may be tried again"
    life.run(days=5)
    after = life.fail(told, "approve")
    used_up = life.case(after).exhausted
    assert used_up is not None
    assert used_up.rule is Rule.NEVER_AGAIN
    assert "visa-2026-10 decline code 57" in life.reasons(after)


def test_tries_seen_only_by_reading_count_against_the_card(begin: Begin) -> None:
    life = begin()
    life.fail("insufficient_funds")
    life.lose_webhooks()
    for _ in range(19):
        life.sandbox.customer_pays(life.invoice)
    life.run(days=5)
    assert life.tries() == []
