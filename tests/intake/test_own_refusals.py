"""The webhook of a refusal that a call of ours met: kept, and worked through only where nobody else knows what became of the call."""

from dataclasses import replace

from building import Life, stored_event, wired
from sqlalchemy import text

from recovery.cases.lifecycle import AttemptStatus
from recovery.runtime.clock import machine_now
from recovery.storage.event_store import StoredEvent, event_counts, store_events

HEARD_OTHERWISE = {
    AttemptStatus.IN_FLIGHT,
    AttemptStatus.SUCCEEDED,
    AttemptStatus.DECLINED,
    AttemptStatus.NEEDS_CUSTOMER,
}


def test_only_the_refusal_of_an_answered_call_has_no_work(database_url: str) -> None:
    with wired(database_url) as wiring:
        life = Life(wiring)
        case_id = life.fail("in_1")
        life.attempt(case_id, life.declined())
        (ours,) = (attempt.id for attempt in life.case(case_id).attempts)

        def waits(event: StoredEvent) -> bool:
            with wiring.database.begin() as tx:
                return bool(store_events(tx, [event], machine_now=machine_now()))

        for status in AttemptStatus:
            with wiring.database.begin() as tx:
                tx.execute(text("UPDATE attempts SET status = :status"), {"status": status})
            refusal = replace(stored_event(f"evt_{status}"), idempotency_key=ours, refusal=True)
            assert waits(refusal) == (status not in HEARD_OTHERWISE), status
            assert waits(replace(refusal, id=f"evt_paid_{status}", refusal=False)), "money is looked at in any case"
            assert waits(replace(refusal, id=f"evt_theirs_{status}", idempotency_key="another's")), "nobody else knows"
            assert not waits(refusal), "it was here already"
        with wiring.database.connect() as tx:
            kept = tx.execute(
                text("SELECT count(*) FROM events WHERE state = 'done' AND detail IS NOT NULL")
            ).scalar_one()
            assert kept == len(HEARD_OTHERWISE), "nothing that was told is forgotten"
            assert event_counts(tx)["waiting"] == 3 * len(AttemptStatus) - len(HEARD_OTHERWISE)
