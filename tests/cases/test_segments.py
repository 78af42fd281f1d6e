"""Segments: who belongs, and what differs for them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.cases.obligation import Obligation, ObligationStatus
from recovery.cases.policy import Policy
from recovery.cases.segments import Standing, changed, segment_of
from recovery.declines.classify import DeclineClass
from recovery.money import Money
from recovery.runtime.knowledge import load_knowledge
from recovery.storage.codec import policy_from, policy_json

POLICY = load_knowledge(Path(__file__).resolve().parents[2] / "config").policy
FAILED = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)


def obligation(
    *, since_days: float | None, trial_ended_days: float | None = None, minor: int = 4900, interval: str = "month"
) -> Obligation:
    return Obligation(
        id="in_1",
        customer="cus_1",
        status=ObligationStatus.OPEN,
        remaining=Money(minor=minor, currency="usd"),
        livemode=False,
        charge_automatically=True,
        billing_reason="subscription_cycle",
        created_at=FAILED,
        subscribed_at=None if since_days is None else FAILED - timedelta(days=since_days),
        trial_ended_at=None if trial_ended_days is None else FAILED - timedelta(days=trial_ended_days),
        interval=interval,
    )


@pytest.mark.parametrize(
    ("owed", "names"),
    [
        (obligation(since_days=14, trial_ended_days=0), "trial"),
        (obligation(since_days=44, trial_ended_days=30), "new"),
        (obligation(since_days=60), "new"),
        (obligation(since_days=100), "settling"),
        (obligation(since_days=360), "settling"),
        (obligation(since_days=370), "loyal"),
        (obligation(since_days=400, interval="year"), "loyal+annual"),
        (obligation(since_days=400, minor=50_000), "loyal+large"),
        (obligation(since_days=400, minor=49_999), "loyal"),
        (obligation(since_days=None), ""),
        (obligation(since_days=None, minor=50_000), "large"),
    ],
)
def test_who_belongs_where(owed: Obligation, names: str) -> None:
    assert segment_of(POLICY.segments, Standing.of(owed, failed_at=FAILED)) == names


def test_a_segment_changes_only_what_it_names() -> None:
    loyal = POLICY.of("loyal")
    assert loyal.dunning.wait_days == 28
    assert loyal.dunning.email_tries_max == POLICY.dunning.email_tries_max
    assert loyal.ladders[DeclineClass.CAREFUL].tries_max == 5
    assert loyal.ladders[DeclineClass.CAREFUL].gaps_hours == POLICY.ladders[DeclineClass.CAREFUL].gaps_hours
    assert loyal.ladders[DeclineClass.WAIT_FOR_FUNDS] == POLICY.ladders[DeclineClass.WAIT_FOR_FUNDS]


def test_later_segments_win_and_none_changes_nothing() -> None:
    assert POLICY.of("trial+annual").horizon_days == 28
    assert POLICY.of("trial+annual").silent_attempts_max == 4
    assert POLICY.of("") is POLICY
    assert POLICY.of("a segment of an older version").horizon_days == POLICY.horizon_days


def test_a_stored_policy_keeps_its_segments() -> None:
    POLICY.of("loyal")
    again: Policy = policy_from(policy_json(POLICY))
    assert again == POLICY
    assert again.of("loyal+large") == POLICY.of("loyal+large")


def test_a_policy_that_a_later_release_kept_can_be_read() -> None:
    kept = policy_json(POLICY)
    of_tomorrow = {"of_tomorrow": {"share": 0.5}}
    kept |= of_tomorrow
    kept["dunning"] |= of_tomorrow
    for ladder in kept["ladders"].values():
        ladder |= of_tomorrow
    assert policy_from(kept) == POLICY


def test_a_change_of_something_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="tries_maxx"):
        changed(POLICY, {"ladders": {"careful": {"tries_maxx": 3}}})
    with pytest.raises(ValueError, match="no carful"):
        changed(POLICY, {"ladders": {"carful": {"tries_max": 3}}})
