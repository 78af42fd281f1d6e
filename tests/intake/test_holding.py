"""Events that wait for an attempt of ours: soon at first, seldom when nothing comes of it."""

from datetime import timedelta

import pytest
from building import stored_event, wired

from recovery.intake.desk import Desk
from recovery.intake.readings import Readings


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
        event = stored_event(received_at=wiring.door.machine_clock() - waited)
        readings = Readings(wiring.gateway, wiring.door.machine_clock)
        held = Desk(door=wiring.door, gateway=wiring.gateway, event=event, readings=readings).hold("busy", seconds=5.0)
        assert held.seconds == pytest.approx(seconds, rel=0.05)
