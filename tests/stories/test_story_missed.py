"""Webhooks that never arrive: what they would have told is found in the gateway's own lists."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import text
from story_support import Begin, Life

from recovery.cases.lifecycle import State
from recovery.cases.obligation import Obligation
from recovery.gateways.port import Gateway, GatewayError, GatewayRefused, GatewayUnavailable, ListedObligation, Notice
from recovery.intake.backfill import Backfill, Found
from recovery.runtime.wiring import EVENT_KINDS
from recovery.simulation.sandbox.faults import WebhookFault
from recovery.storage.flag_store import BACKFILLED, read_flags

pytest_plugins = ["story_fixtures"]


def lose(life: Life, events: int) -> None:
    life.sandbox.faults.queue([WebhookFault(kind="lost") for _ in range(events)])


def marks(life: Life) -> list[str]:
    """Until when the lists are known to have been gone through."""
    with life.wiring.database.connect() as tx:
        return [flag.detail for flag in read_flags(tx, BACKFILLED) if flag.name == BACKFILLED]


def backfill(life: Life, *, any_age: bool = False) -> Found:
    wiring = life.wiring
    return Backfill(wiring.door, wiring.gateway, EVENT_KINDS, any_age=any_age).run()


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


@pytest.mark.parametrize("one", [True, False])
def test_a_failure_older_than_the_horizon_opens_a_case_only_on_purpose(begin: Begin, *, one: bool) -> None:
    life = begin()
    lose(life, 100)
    life.fail("insufficient_funds", "approve")
    life.house.clock.set(life.now + timedelta(days=22))
    found = backfill(life)  # it is still on the list of events, and among the open invoices
    assert found.events_new > 0
    life.work()
    assert (found.cases_opened, found.invoices_left) == (0, 1)
    assert life.count("SELECT count(*) FROM cases") == 0
    assert life.count("SELECT count(*) FROM events WHERE detail LIKE '%beyond the horizon of 21 days%'") > 0
    life.house.clock.set(life.now + timedelta(days=700))
    assert (backfill(life).cases_opened, backfill(life).invoices_left) == (0, 1)
    by_hand = Backfill(life.wiring.door, life.wiring.gateway, EVENT_KINDS)
    if one:
        assert by_hand.open_one(life.invoice) is None
        assert by_hand.open_one(life.invoice) == "it has its case already"
    else:
        assert backfill(life, any_age=True).cases_opened == 1
    again = backfill(life)
    assert (again.cases_opened, again.invoices_left) == (0, 0)


def test_what_was_told_in_time_is_not_too_old_because_no_worker_came(begin: Begin) -> None:
    life = begin()
    life.sandbox.make_failed_invoice(behaviour=("insufficient_funds", "approve"))
    assert life.sandbox.wait_for_webhooks(30)
    with (
        life.wiring.database.begin() as tx
    ):  # in a story the machine's time is that of the house, but for the web application
        assert (
            tx.execute(text("UPDATE events SET received_at = :now WHERE state = 'waiting'"), {"now": life.now}).rowcount
            > 0
        )
    life.house.clock.set(life.now + timedelta(days=22))
    life.work()
    assert life.count("SELECT count(*) FROM cases") == 1


class Ill:
    """The real gateway, which always fails to read one invoice."""

    def __init__(self, real: Gateway, ill: str, error: GatewayError) -> None:
        self.real, self.ill, self.error, self.read = real, ill, error, list[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def open_obligations(self) -> Iterator[ListedObligation]:
        real = next(iter(self.real.open_obligations()))
        return iter([replace(real, id=self.ill), real])

    def read_obligation(self, obligation: str) -> Obligation:
        self.read.append(obligation)
        if obligation == self.ill:
            raise self.error
        return self.real.read_obligation(obligation)


def unheard(begin: Begin) -> Life:
    """A payment failed a day ago, and no webhook told of it."""
    life = begin()
    lose(life, 100)
    life.fail("insufficient_funds", "approve")
    life.house.clock.set(life.now + timedelta(days=1))
    return life


def test_an_invoice_that_cannot_be_read_does_not_hide_those_behind_it(begin: Begin) -> None:
    life = unheard(begin)
    wiring = life.wiring
    gateway = Ill(wiring.gateway, "in_0", GatewayUnavailable("it hangs for this one, for ever"))
    run = Backfill(wiring.door, cast(Gateway, gateway), frozenset())
    with pytest.raises(GatewayUnavailable):
        run.run()
    with pytest.raises(GatewayUnavailable):
        run.run()
    assert gateway.read == ["in_0", life.invoice, "in_0"]
    assert life.case().state is State.SILENT
    assert marks(life) == []


def test_an_invoice_that_means_nothing_ends_no_run(begin: Begin) -> None:
    life = unheard(begin)
    wiring = life.wiring
    listed = Ill(wiring.gateway, "in_0", GatewayRefused("400 for this one, for ever"))
    found = Backfill(wiring.door, cast(Gateway, listed), frozenset()).run()
    assert (found.cases_opened, found.invoices_unreadable) == (1, 1)

    ended = Ill(wiring.gateway, life.invoice, GatewayRefused("it has no currency"))
    vars(ended)["open_obligations"] = lambda: iter(())
    again = Backfill(wiring.door, cast(Gateway, ended), frozenset()).run()
    assert (again.cases_told, again.invoices_unreadable) == (0, 1)
    assert len(marks(life)) == 1


def test_a_shorter_look_back_by_hand_leaves_the_rest_to_be_read(begin: Begin) -> None:
    life = begin()
    wiring = life.wiring
    run = Backfill(wiring.door, wiring.gateway, EVENT_KINDS)
    run.run()
    before = marks(life)
    life.house.clock.set(life.now + timedelta(days=5))
    run.run(since=life.now - timedelta(days=1))
    assert marks(life) == before
    run.run(since=life.now - timedelta(days=6))
    assert marks(life) != before


class Breaks:
    """The real gateway, which goes away in the middle of the list of events; from when on it was asked for."""

    def __init__(self, real: Gateway, after: int) -> None:
        self.real, self.after, self.asked = real, after, list[datetime]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def notices_since(self, at: datetime) -> Iterator[Notice]:
        self.asked.append(at)
        for read, notice in enumerate(self.real.notices_since(at)):
            if read == self.after:
                raise GatewayUnavailable("in the middle of the list")
            yield notice


def test_a_run_that_broke_off_goes_on_where_it_was(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the list of a large account, which takes longer than a run may, would never be gone through."""
    monkeypatch.setattr("recovery.intake.backfill.COMMIT_EVENTS", 1)
    life = begin()
    lose(life, 100)
    life.fail("insufficient_funds", "insufficient_funds", "insufficient_funds", "approve")
    life.house.clock.set(life.now + timedelta(days=3))
    life.sandbox.make_failed_invoice(behaviour=("insufficient_funds", "approve"))
    life.house.clock.set(life.now + timedelta(days=3))
    wiring = life.wiring
    told = [notice.created_at for notice in wiring.gateway.notices_since(life.now - timedelta(days=20))]
    assert told[0] + timedelta(days=1) < told[-1]
    gateway = Breaks(wiring.gateway, len(told) - 1)
    run = Backfill(wiring.door, cast(Gateway, gateway), EVENT_KINDS)
    with pytest.raises(GatewayUnavailable):
        run.run()
    assert marks(life) == []
    gateway.after = 1000
    run.run()
    assert gateway.asked[1] > told[0], "what was stored is not listed again"
    assert gateway.asked[1] <= told[-1] - timedelta(minutes=59)
    assert len(marks(life)) == 1


@pytest.mark.parametrize("end", ["void", "mark_uncollectible"])
def test_an_end_that_no_webhook_told_counts_from_when_it_was_found(begin: Begin, end: str) -> None:
    """Not from when the invoice was made: that month may be closed, and the case was not even open then."""
    life = begin()
    life.fail("insufficient_funds", "insufficient_funds", "approve")
    life.run(days=2)
    lose(life, 100)
    life.merchant(f"invoices/{life.invoice}/{end}")
    life.house.clock.set(life.now + timedelta(minutes=30))
    assert backfill(life).cases_told == 1
    assert life.case().ended_at == life.now
    assert [line.occurred_at for line in life.file().bookings][-1] == life.now
