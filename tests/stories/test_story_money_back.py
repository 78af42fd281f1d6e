"""Recovered money that goes back, and what the ledger says of it."""

from datetime import timedelta
from typing import Any

import pytest
from story_support import Begin, Life

from recovery.cases.lifecycle import State

pytest_plugins = ["story_fixtures"]


def _recovered(life: Life) -> None:
    life.fail("insufficient_funds", "approve")
    life.run(days=5)
    assert life.booked() == {"at_risk": 4900, "recovered": 4900}


def test_refunds_in_parts_and_then_the_rest(begin: Begin) -> None:
    life = begin()
    _recovered(life)
    life.sandbox.refund(life.invoice, amount_minor=1000)
    life.run(days=1)
    assert life.booked()["refunded"] == 1000
    life.sandbox.refund(life.invoice)
    life.run(days=1)
    assert life.booked() == {"at_risk": 4900, "recovered": 4900, "refunded": 4900}
    assert life.case().state is State.RECOVERED
    assert len({line.ref for line in life.file().bookings if line.kind == "refunded"}) == 2


def test_a_refund_that_fails_is_booked_back(begin: Begin) -> None:
    life = begin()
    _recovered(life)
    refund = life.sandbox.refund(life.invoice)
    life.run(days=3)
    with life.sandbox.core.store.lock:
        told = life.sandbox.core.store.get("refund", refund)
        told["status"] = "failed"
    assert life.post("refund.updated", told).status_code == 200
    life.run(days=1)
    assert life.booked() == {"at_risk": 4900, "recovered": 4900, "refunded": 4900, "refund_failed": 4900}


@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_is_booked_when_it_opens_and_when_it_ends(begin: Begin, won: bool) -> None:
    life = begin()
    _recovered(life)
    dispute = life.sandbox.dispute(life.invoice)
    life.run(days=20)
    assert life.booked()["dispute_opened"] == 4900
    life.sandbox.close_dispute(dispute, won=won)
    life.run(days=1)
    ended = {"dispute_won": 4900} if won else {"dispute_lost": 4900}
    assert life.booked() == {"at_risk": 4900, "recovered": 4900, "dispute_opened": 4900, "fee": 1500} | ended
    (closed,) = [line for line in life.file().bookings if line.kind in ended]
    assert closed.occurred_at > life.now - timedelta(days=2), "a dispute ends on the day of its end, not of its opening"


def test_a_dispute_that_was_prevented_is_over_at_once(begin: Begin) -> None:
    life = begin()
    _recovered(life)
    life.sandbox.prevent_dispute(life.invoice, taken=True)
    life.work()
    assert life.booked() == {"at_risk": 4900, "recovered": 4900, "dispute_opened": 4900, "dispute_lost": 4900}


def test_a_refund_whose_payment_nobody_told_us_of(begin: Begin) -> None:
    life = begin()
    life.fail("lost_card")
    life.run(days=20)
    better = life.sandbox.make_card(life.customer(), ["approve"], default=False)
    life.lose_webhooks()
    life.sandbox.customer_pays(life.invoice, method=better)
    life.run(days=1)
    assert life.case().state is State.LOST
    life.sandbox.faults.clear()
    life.sandbox.refund(life.invoice, amount_minor=400)
    life.run(days=1)
    assert life.booked() == {
        "at_risk": 4900,
        "written_off": 4900,
        "recovered": 4900,
        "reinstated": 4900,
        "refunded": 400,
    }


def test_a_refund_of_something_else_is_not_ours(begin: Begin) -> None:
    life = begin()
    paid = life.sandbox.make_failed_invoice(behaviour=["approve"])
    life.work()
    life.sandbox.refund(paid)
    life.run(days=1)
    assert not life.has_case(paid)
    assert life.told("charge.refunded") == ["no case"]


def test_a_dispute_that_is_told_by_its_name_only_is_booked(begin: Begin) -> None:
    """Thin events name the dispute or the refund, and no charge."""
    life = begin()
    _recovered(life)
    life.lose_webhooks()

    def thin(kind: str, name: str, what: str) -> None:
        related = {"id": name, "type": what, "url": f"/v1/{what}s/{name}"}
        event: dict[str, Any] = {"object": "v2.core.event", "created": life.now.isoformat(), "related_object": related}
        assert life.post(f"v1.{kind}", {}, **event).is_success
        life.work()

    thin("refund.updated", life.sandbox.refund(life.invoice, amount_minor=900), "refund")
    assert life.booked()["refunded"] == 900, life.told("refund.updated")
    thin("charge.dispute.created", life.sandbox.dispute(life.invoice), "dispute")
    assert life.booked()["dispute_opened"] == 4000, life.told("charge.dispute.created")
