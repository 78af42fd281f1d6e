"""Two cases never reserve the last try of one card together, on a real database."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from building import Life
from sqlalchemy import text

from recovery.cases.lifecycle import StepKind
from recovery.storage.card_store import lock_card

_WAITS = text("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
_USED_UP = text(
    "INSERT INTO past_charges (charge_id, budget_key, amount_minor, currency, at, succeeded, counts) "
    "SELECT 'ch_past_' || n, :key, 4900, 'usd', CAST(:at AS timestamptz) - n * interval '1 hour', false, true "
    "FROM generate_series(1, 20) n"
)
"""Visa: 20 in 30 days."""


def waits_or_ends(life: Life, tried: "Future[Any]") -> bool:
    """Whether somebody waits for the card, once that or the end of his try is seen."""
    while not tried.done():
        with life.wiring.database.connect() as tx:
            if tx.execute(_WAITS).first():
                return True
        time.sleep(0.01)
    return False


def test_who_tries_a_card_waits_for_whoever_reserves_a_try_of_it_and_sees_it(life: Life) -> None:
    case_id = life.fail("in_1")
    life.refresh(case_id)
    planned, card = life.case(case_id).step(StepKind.CHARGE_CARD), life.case(case_id).card
    assert planned is not None
    assert card is not None
    with ThreadPoolExecutor(1) as pool:
        with life.wiring.database.begin() as tx:
            lock_card(tx, card.budget_key)
            tried = pool.submit(life.attempt, case_id)
            assert waits_or_ends(life, tried), "the try was decided beside another one of the same card"
            tx.execute(_USED_UP, {"key": card.budget_key, "at": planned.due_at})
        with pytest.raises(AssertionError, match="the try was not made"):
            tried.result()
    assert life.case(case_id).attempts == ()
