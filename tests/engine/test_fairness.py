"""One customer's flood does not make the others wait for all of it."""

from datetime import timedelta

from building import Life
from sqlalchemy import text

from recovery.cases.lifecycle import StepKind
from recovery.runtime.clock import machine_now
from recovery.storage.event_store import StoredEvent, claim_events, store_events
from recovery.storage.step_store import claim_steps


def test_steps_take_turns_by_customer(life: Life) -> None:
    flood = [life.fail(f"in_{number}") for number in range(12)]
    with life.wiring.database.begin() as tx:
        tx.execute(text("UPDATE cases SET customer = 'cus_flood'"))
    others = [life.fail("in_a"), life.fail("in_b")]
    with life.wiring.database.begin() as tx:
        claimed = claim_steps(tx, tuple(StepKind), moment=life.door.moment(), limit=4, lease_seconds=60)
    assert {step.case_id for step in claimed} >= set(others)
    assert {step.case_id for step in claimed} & set(flood) == set(flood[:2])


def test_the_greatest_amounts_go_first_where_only_some_can_go(life: Life) -> None:
    """Due last, and behind more others than a claim takes: what the gateway's rate lets through is spent on what is at stake."""
    small = [life.fail(f"in_{number}", minor=900 + number) for number in range(6)]
    large = life.fail("in_large", minor=90_000)
    for each in (*small, large):
        life.refresh(each)
    with life.wiring.database.begin() as tx:
        tx.execute(text("UPDATE steps SET due_at = :at WHERE kind = 'charge_card'"), {"at": life.at})
        tx.execute(
            text("UPDATE steps SET due_at = due_at + interval '1 hour' WHERE kind = 'charge_card' AND case_id = :id"),
            {"id": large},
        )
    life.at += timedelta(days=1)
    with life.wiring.database.begin() as tx:
        claimed = claim_steps(tx, (StepKind.CHARGE_CARD,), moment=life.door.moment(), limit=2, lease_seconds=60)
    assert [step.case_id for step in claimed] == [large, small[-1]]


def test_events_take_turns_by_customer(life: Life) -> None:
    def told(name: str, customer: str) -> StoredEvent:
        return StoredEvent(
            gateway="stripe",
            id=name,
            kind="invoice.paid",
            livemode=False,
            created_at=machine_now(),
            object_id="in_1",
            content={"customer": customer},
            idempotency_key=None,
            caused_by_request=False,
        )

    with life.wiring.database.begin() as tx:
        for number in range(12):
            store_events(tx, [told(f"evt_{number:02}", "cus_flood")], machine_now=machine_now())
        store_events(tx, [told("evt_other", "cus_a")], machine_now=machine_now())
        now = machine_now()
        claimed = claim_events(tx, machine_now=now, lease_until=now, limit=3)
    assert [event.id for event in claimed] == ["evt_00", "evt_01", "evt_other"]
