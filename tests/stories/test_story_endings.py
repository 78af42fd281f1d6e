"""What ends or changes a recovery from outside, heard of by webhook or found by our own reading."""

import pytest
from story_support import Begin, Life

from recovery.cases.lifecycle import CREDITED, Source, State, StepKind
from recovery.storage.flag_store import GATEWAY_RETRIES_SEEN

pytest_plugins = ["story_fixtures"]

heard_or_not = pytest.mark.parametrize("heard", [True, False], ids=["heard", "webhooks lost"])


def _midway(life: Life, *, heard: bool) -> None:
    """A case whose next try is planned; a day has passed."""
    life.fail("insufficient_funds", "approve")
    life.run(days=1)
    if not heard:
        life.lose_webhooks()


def _subscription(life: Life) -> str:
    return str(life.sandbox.read(life.invoice)["parent"]["subscription_details"]["subscription"])


@heard_or_not
def test_a_voided_invoice_is_not_charged(begin: Begin, heard: bool) -> None:
    life = begin()
    _midway(life, heard=heard)
    life.sandbox.void(life.invoice)
    life.run(days=40)
    assert life.case().state is State.WITHDRAWN
    assert life.tries() == []
    assert life.booked() == {"at_risk": 4900, "withdrawn": 4900}


@heard_or_not
def test_an_invoice_written_off_is_not_charged(begin: Begin, heard: bool) -> None:
    life = begin()
    _midway(life, heard=heard)
    life.merchant(f"invoices/{life.invoice}/mark_uncollectible")
    life.run(days=40)
    assert life.case().state is State.LOST
    assert life.tries() == []
    assert life.booked() == {"at_risk": 4900, "written_off": 4900}


@heard_or_not
def test_who_cancelled_is_not_charged(begin: Begin, heard: bool) -> None:
    life = begin()
    _midway(life, heard=heard)
    life.sandbox.cancel_subscription(_subscription(life), feedback="too_expensive")
    life.run(days=40)
    assert life.case().state is State.WITHDRAWN
    assert life.tries() == []
    assert life.mails.messages == []


def test_a_credit_note_before_the_try_lowers_what_is_charged(begin: Begin) -> None:
    life = begin()
    _midway(life, heard=True)
    life.sandbox.change_amount(life.invoice, 1900)
    life.run(days=10)
    assert life.booked() == {"at_risk": 4900, "at_risk_changed": 1900, "recovered": 1900}
    assert life.case().state is State.RECOVERED


def test_a_credit_note_over_everything_leaves_nothing_to_charge(begin: Begin) -> None:
    life = begin()
    _midway(life, heard=True)
    life.sandbox.change_amount(life.invoice, 0)
    life.run(days=10)
    assert life.case().state is State.WITHDRAWN
    assert life.tries() == []


@heard_or_not
def test_money_outside_the_gateway_is_no_recovery(begin: Begin, heard: bool) -> None:
    life = begin()
    _midway(life, heard=heard)
    life.merchant(f"invoices/{life.invoice}/pay", paid_out_of_band="true")
    life.run(days=10)
    assert life.case().state is State.WITHDRAWN
    assert life.booked() == {"at_risk": 4900, "withdrawn": 4900}
    assert life.tries() == []


@heard_or_not
def test_a_customer_who_pays_unasked_is_not_our_merit(begin: Begin, heard: bool) -> None:
    life = begin()
    _midway(life, heard=heard)
    life.sandbox.customer_pays(life.invoice)
    life.run(days=10)
    case = life.case()
    assert (case.state, case.source) == (State.RECOVERED, Source.CUSTOMER_UNASKED)
    assert case.source not in CREDITED
    assert life.tries() == []


def test_a_customers_own_failure_counts_but_does_not_move_the_plan(begin: Begin) -> None:
    life = begin()
    life.fail("insufficient_funds", "insufficient_funds", "approve")
    planned = life.case().step(StepKind.CHARGE_CARD)
    life.run(hours=3)
    assert life.sandbox.customer_pays(life.invoice) is not None
    life.work()
    assert life.case().step(StepKind.CHARGE_CARD) == planned
    assert "a charge by customer failed" in life.reasons()
    life.run(days=10)
    assert life.case().source is Source.SILENT_RETRY
    assert "attempt 3 of 20" in life.reasons() or life.count("SELECT count(*) FROM foreign_charges") == 2


@pytest.mark.parametrize("wins", [True, False], ids=["the gateway wins", "the gateway fails"])
def test_the_gateways_own_retry_comes_first_and_is_reported(begin: Begin, wins: bool) -> None:
    life = begin(gateway_retry_days=(3.0,))
    life.fail("insufficient_funds", "approve" if wins else "insufficient_funds", "approve")
    assert GATEWAY_RETRIES_SEEN in life.flags()
    life.run(days=2, hours=23, minutes=55)  # our payday slot has passed, the gateway's retry has not come
    assert life.tries() == []
    assert "the gateway itself means to retry" in life.reasons()
    life.run(days=10)
    case = life.case()
    assert case.state is State.RECOVERED
    assert case.source is (Source.GATEWAY_RETRY if wins else Source.SILENT_RETRY)
    assert len(life.tries()) == (0 if wins else 1)
    if not wins:
        assert (life.tries()[0] - case.failed_at).days >= 3
