"""Charging rests while the gateway is ill, and goes on by itself."""

from datetime import UTC, datetime, timedelta

from recovery.charging.breaker import FAILURES_MAX, REST_SECONDS_FIRST, REST_SECONDS_MAX, Breaker


class Clock:
    at = datetime(2026, 11, 2, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


def test_charging_rests_after_ten_in_a_row_and_longer_after_each_further_one() -> None:
    clock = Clock()
    breaker = Breaker(clock.now)
    for _ in range(FAILURES_MAX - 1):
        breaker.failed()
    assert breaker.rest_seconds() == 0
    breaker.failed()
    assert breaker.rest_seconds() == REST_SECONDS_FIRST
    breaker.failed()  # one that was under way
    assert breaker.rest_seconds() == REST_SECONDS_FIRST
    for _ in range(8):
        clock.at += timedelta(seconds=REST_SECONDS_MAX)
        assert breaker.rest_seconds() == 0
        breaker.failed()
    assert breaker.rest_seconds() == REST_SECONDS_MAX


def test_one_clear_answer_ends_the_count() -> None:
    breaker = Breaker(Clock().now)
    for _ in range(3 * FAILURES_MAX):
        breaker.failed()
        breaker.answered()
    assert breaker.rest_seconds() == 0
