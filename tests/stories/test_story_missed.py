"""Webhooks that never arrive: what they would have told is found in the gateway's own lists."""

from datetime import timedelta

from story_support import Begin, Life

from recovery.cases.lifecycle import State
from recovery.intake.backfill import Backfill, Found
from recovery.runtime.wiring import EVENT_KINDS
from recovery.simulation.sandbox.faults import WebhookFault

pytest_plugins = ["story_fixtures"]


def lose(life: Life, events: int) -> None:
    life.sandbox.faults.queue([WebhookFault(kind="lost") for _ in range(events)])


def backfill(life: Life) -> Found:
    wiring = life.wiring
    return Backfill(wiring.door, wiring.gateway, EVENT_KINDS).run()


def test_a_failure_and_a_payment_of_which_no_webhook_told_are_found(begin: Begin) -> None:
    life = begin()
    lose(life, 100)
    life.fail("insufficient_funds", "approve")
    assert life.count("SELECT count(*) FROM cases") == 0
    found = backfill(life)
    assert found.events_new > 0
    life.work()
    assert life.case().state is State.SILENT
    again = backfill(life)
    assert (again.events_new, again.cases_opened, again.cases_told) == (0, 0, 0)
    life.house.clock.set(life.now + timedelta(hours=1))
    lose(life, 100)
    life.sandbox.customer_pays(life.invoice)
    assert backfill(life).cases_told == 1
    life.work()
    assert life.case().state is State.RECOVERED
    assert life.case().source == "customer_unasked"


def test_an_invoice_that_failed_before_the_list_of_events_begins_is_found_among_the_open_ones(begin: Begin) -> None:
    life = begin()
    lose(life, 100)
    life.fail("insufficient_funds", "approve")
    life.house.clock.set(life.now + timedelta(days=31))
    found = backfill(life)
    assert (found.events_new, found.cases_opened) == (0, 1)
    assert backfill(life).cases_opened == 0
