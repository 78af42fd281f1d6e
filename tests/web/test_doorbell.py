"""The bell: rung for whoever asks, but not once for each."""

import threading
import time

from recovery.runtime.web.doorbell import FLOOD, FLOOD_REST_SECONDS, REST_SECONDS, Doorbell


def test_many_that_ask_at_once_share_a_ring_and_the_last_is_heard() -> None:
    asked, heard = 0, []
    rung = threading.Event()

    def ring() -> None:
        heard.append(asked)
        rung.set()

    bell = Doorbell(ring)
    bell.ask()
    assert rung.wait(5)
    for _ in range(200):
        asked += 1
        bell.ask()
    bell.close()
    assert heard[-1] == 200
    assert len(heard) < 50


def test_in_a_flood_it_rests_longer_and_the_last_is_heard_all_the_same() -> None:
    asked, heard = 0, []
    bell = Doorbell(lambda: heard.append(asked))
    ends_at = time.monotonic() + 10 * FLOOD_REST_SECONDS
    while time.monotonic() < ends_at:
        asked += 1
        bell.ask()
        time.sleep(REST_SECONDS / FLOOD / 4)
    bell.close()
    assert heard[-1] == asked
    assert len(heard) < 20
