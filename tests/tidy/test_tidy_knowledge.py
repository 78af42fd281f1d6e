"""Every member of every list is somewhere dealt with, and every row says why it is there."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from tidy_support import PROJECT, read

from recovery.cases.lifecycle import (
    CREDITED,
    ENDS,
    NEXT,
    OPEN,
    OPEN_ATTEMPTS,
    REFUSED,
    SPENT,
    AttemptStatus,
    Source,
    State,
)
from recovery.cases.policy import RETRIED
from recovery.declines.classify import ONLY_THE_CUSTOMER, DeclineClass
from recovery.runtime.knowledge import load_knowledge

UNAIDED = {Source.CUSTOMER_UNASKED, Source.GATEWAY_RETRY}
NEVER_REACHED = {AttemptStatus.ALREADY_SETTLED, AttemptStatus.NOT_SENT, AttemptStatus.MISCONFIGURED}


def _rules(content: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables of a file that classify something."""
    if isinstance(content, dict):
        if {"decline_class", "advice"} & set(content) and not isinstance(content.get("advice"), dict):
            yield place, content
        for key, value in content.items():
            yield from _rules(value, f"{place}.{key}")


def test_every_decline_class_is_either_retried_or_not() -> None:
    assert set(DeclineClass) == set(RETRIED) | ONLY_THE_CUSTOMER | {DeclineClass.OUR_MISTAKE}
    assert not set(RETRIED) & ONLY_THE_CUSTOMER


def test_every_retried_class_has_its_ladder_in_the_policy() -> None:
    assert set(load_knowledge(PROJECT / "config").policy.ladders) == set(RETRIED)


def test_every_decline_class_is_used() -> None:
    table = load_knowledge(PROJECT / "config").declines
    used = {rule.decline_class for rule in table.codes.values()}
    # A block by the gateway's risk engine shows in the outcome as well, not only in a code.
    assert set(DeclineClass) - {DeclineClass.BLOCKED} <= used


def test_every_state_has_its_arrows() -> None:
    assert set(NEXT) == set(State) == OPEN | ENDS
    assert all(following <= OPEN | ENDS for following in NEXT.values())


def test_every_attempt_status_either_counts_or_does_not() -> None:
    assert set(AttemptStatus) == SPENT | NEVER_REACHED
    assert not SPENT & NEVER_REACHED
    assert not OPEN_ATTEMPTS & REFUSED


def test_every_source_is_either_credited_or_not() -> None:
    uncredited = set(Source) - CREDITED
    assert uncredited == UNAIDED


FILES = [
    "config/declines.toml",
    *(f"config/networks/{path.name}" for path in sorted((PROJECT / "config/networks").glob("*.toml"))),
]


@pytest.mark.parametrize("name", FILES)
def test_every_row_says_why(name: str) -> None:
    found = list(_rules(tomllib.loads(read(name)), name))
    assert found or "other" in name
    assert [place for place, rule in found if not str(rule.get("reason", "")).strip()] == []
