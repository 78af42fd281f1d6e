"""The gateway's rate limit: kept by all together, and nobody moves while nobody can count."""

import threading
import time

from recovery.runtime.pace import SharedPace

RATE = 10


def test_all_workers_together_keep_the_rate(valkey_url: str) -> None:
    taken: list[float] = []

    def work() -> None:
        pace = SharedPace(valkey_url, calls_per_second=RATE)
        while pace(0.3):
            taken.append(time.monotonic())
            if len(taken) >= 2 * RATE + 5:
                return

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken.sort()
    # The stamps are taken after the turn was given: a thread may have waited for the processor meanwhile.
    most = max(sum(1 for other in taken if 0 <= other - at < 0.9) for at in taken)
    assert RATE / 2 < most <= RATE + 4


def test_without_the_broker_nobody_takes_a_turn() -> None:
    pace = SharedPace("redis://127.0.0.1:1/0", calls_per_second=RATE)
    began = time.monotonic()
    assert pace(0.6) is False
    assert time.monotonic() - began < 5


def test_letters_leave_half_of_the_rate_to_charges(valkey_url: str) -> None:
    letters = SharedPace(valkey_url, calls_per_second=RATE, letters=True)
    charges = SharedPace(valkey_url, calls_per_second=RATE)
    began = time.monotonic()
    taken = sum(letters(0) for _ in range(RATE)), sum(charges(0) for _ in range(RATE))
    assert time.monotonic() - began > 1 or taken == (RATE // 2, RATE - RATE // 2)
