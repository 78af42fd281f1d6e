"""Events that wait for an attempt of ours: soon at first, seldom when nothing comes of it."""

from datetime import timedelta

import pytest
from building import MONDAY, wired

from recovery.intake.desk import Desk
from recovery.storage.event_store import StoredEvent


@pytest.mark.parametrize(
    ("waited", "seconds"),
    [
        (timedelta(0), 5.0),
        (timedelta(seconds=-40), 5.0),  # our machines' clocks differ
        (timedelta(minutes=10), 60.0),
        (timedelta(days=20), 86400.0),
    ],
)
def test_an_event_is_looked_at_the_less_often_the_longer_it_waits(
    database_url: str, waited: timedelta, seconds: float
) -> None:
    with wired(database_url) as wiring:
        event = StoredEvent(
            gateway="stripe",
            id="evt_1",
            kind="charge.failed",
            livemode=False,
            created_at=MONDAY,
            object_id="ch_1",
            content={},
            idempotency_key=None,
            caused_by_request=False,
            received_at=wiring.door.machine_clock() - waited,
        )
        held = Desk(door=wiring.door, gateway=wiring.gateway, event=event).hold("busy", seconds=5.0)
        assert held.seconds == pytest.approx(seconds, rel=0.05)
