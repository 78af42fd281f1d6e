"""The bell: rung for whoever asks, but not once for each."""

import threading

from recovery.runtime.web.doorbell import Doorbell


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
