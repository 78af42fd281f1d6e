"""Charging rests while the gateway is ill, and goes on by itself."""

from datetime import UTC, datetime, timedelta

from recovery.cases.answers import Misconfigured, NotSent
from recovery.charging.breaker import AHEAD_SECONDS, FAILURES_MAX, REST_SECONDS_FIRST, REST_SECONDS_MAX, Breaker


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


def test_after_a_rest_one_goes_first_and_the_others_wait_for_its_answer() -> None:
    clock = Clock()
    breaker = Breaker(clock.now)
    for _ in range(FAILURES_MAX):
        breaker.failed()
    clock.at += timedelta(seconds=REST_SECONDS_FIRST)
    assert [breaker.rest_seconds() for _ in range(3)] == [0, AHEAD_SECONDS, AHEAD_SECONDS]
    clock.at += timedelta(seconds=AHEAD_SECONDS)
    assert [breaker.rest_seconds() for _ in range(2)] == [0, AHEAD_SECONDS], "the first one never said anything"
    breaker.failed()
    assert breaker.rest_seconds() == 2 * REST_SECONDS_FIRST
    clock.at += timedelta(seconds=2 * REST_SECONDS_FIRST)
    assert breaker.rest_seconds() == 0
    breaker.answered()
    assert [breaker.rest_seconds() for _ in range(3)] == [0, 0, 0]


def test_only_the_gateways_own_word_ends_a_rest() -> None:
    """A call that got no turn within the rate, or never connected, says nothing of it."""
    clock = Clock()
    breaker = Breaker(clock.now)
    for _ in range(FAILURES_MAX):
        breaker.failed()
    breaker.heard(NotSent(detail="no turn"))
    assert breaker.rest_seconds() == REST_SECONDS_FIRST
    breaker.heard(Misconfigured(detail="the key is refused"))
    assert breaker.rest_seconds() == 0


def test_one_clear_answer_ends_the_count() -> None:
    breaker = Breaker(Clock().now)
    for _ in range(3 * FAILURES_MAX):
        breaker.failed()
        breaker.answered()
    assert breaker.rest_seconds() == 0
