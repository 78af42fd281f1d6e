"""A fixed set of seeds for every change; ``make simulate SEEDS=2000`` runs as many as asked."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from sim_database import opened
from sim_faults import KINDS
from sim_play import Wish
from sim_shrink import Failure, run_wish, shrunk
from sqlalchemy import Engine

CHUNK = 10
"""A chunk is what one of several test processes takes at a time."""

CHUNKS = 20


@pytest.fixture(scope="module")
def engine(module_database_url: str) -> Iterator[Engine]:
    connected = opened(module_database_url)
    yield connected
    connected.dispose()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Crashed workers and refused calls are what a run is about; the engine's log of them would drown the story."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


def _told(engine: Engine, failure: Failure | None) -> None:
    if failure is not None:
        pytest.fail(shrunk(engine, failure).brief(), pytrace=False)


@pytest.mark.parametrize("first", range(0, CHUNK * CHUNKS, CHUNK))
def test_nothing_is_lost_nothing_is_charged_twice(engine: Engine, first: int) -> None:
    for seed in range(first, first + CHUNK):
        _told(engine, run_wish(engine, Wish(seed=seed)))


def test_a_quiet_world_passes_too(engine: Engine) -> None:
    _told(engine, run_wish(engine, Wish(seed=1, off=frozenset(KINDS))))


def test_a_seed_replays_to_the_letter(engine: Engine) -> None:
    stories: list[list[str]] = [[], []]
    for story in stories:
        run_wish(engine, Wish(seed=33), tell=story.extend)
    assert stories[0]
    assert stories[0] == stories[1]
