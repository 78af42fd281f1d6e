"""One customer's flood does not make the others wait for all of it."""

from collections.abc import Iterator

import pytest
from building import Life, wired
from sqlalchemy import text

from recovery.cases.lifecycle import StepKind
from recovery.runtime.clock import machine_now
from recovery.storage.event_store import StoredEvent, claim_events, store_events
from recovery.storage.step_store import claim_steps


@pytest.fixture
def life(database_url: str) -> Iterator[Life]:
    with wired(database_url) as wiring:
        yield Life(wiring)


def test_steps_take_turns_by_customer(life: Life) -> None:
    flood = [life.fail(f"in_{number}") for number in range(12)]
    with life.wiring.database.begin() as tx:
        tx.execute(text("UPDATE cases SET customer = 'cus_flood'"))
    others = [life.fail("in_a"), life.fail("in_b")]
    with life.wiring.database.begin() as tx:
        claimed = claim_steps(tx, tuple(StepKind), moment=life.door.moment(), limit=4, lease_seconds=60)
    assert {step.case_id for step in claimed} >= set(others)
    assert {step.case_id for step in claimed} & set(flood) == set(flood[:2])


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
