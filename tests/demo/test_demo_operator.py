"""The person at the demo's desk, whose rounds may come to nothing."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from building import Life, wired

from recovery.cases.facts import FeeCharged
from recovery.engine.advance import advance
from recovery.money import Money
from recovery.runtime.celery_app import Bell
from recovery.runtime.demo.operator import Operator, RoundNotMade
from recovery.storage.flag_store import BACKFILLED, raise_flag

NOW = datetime(2026, 9, 7, 14, 0, tzinfo=UTC)


def test_a_round_that_nobody_makes_is_not_told_as_made(database_url: str) -> None:
    rung: list[Bell] = []
    with wired(database_url) as wiring:

        def operator(*, reads: bool) -> Operator:
            def ring(bell: Bell) -> None:
                rung.append(bell)
                if reads:
                    with wiring.database.begin() as tx:
                        raise_flag(tx, BACKFILLED, NOW.isoformat(), at=NOW)

            return Operator(database=wiring.database, clock=lambda: NOW, ring=ring, reads_lists=True, seconds_max=0.05)

        nobody = operator(reads=False)
        assert not nobody.round()
        assert not nobody.round(), "the next day's round is the next"
        assert rung == [Bell.BACKFILL]
        with pytest.raises(RoundNotMade, match="at the end"):
            nobody.round(last=True)
        assert operator(reads=True).round()


def test_no_outcome_is_taken_before_every_fee_is_booked(database_url: str) -> None:
    """Beat asks for fees by the machine's time: a slower demo had booked more of them at its end."""
    with wired(database_url) as wiring:
        life = Life(wiring)
        case_id = life.fail("in_1")
        life.attempt(case_id)
        (charge_id,) = (attempt.charge_id for attempt in life.case(case_id).attempts)
        assert charge_id is not None

        def book(bell: Bell) -> None:
            assert bell is Bell.BOOKS
            fee = Money(minor=172, currency="usd")
            advance(life.door, case_id, FeeCharged(ref=charge_id, charge_id=charge_id, amount=fee, at=life.at))

        def operator(ring: Callable[[Bell], None]) -> Operator:
            return Operator(
                database=wiring.database, clock=lambda: life.at, ring=ring, reads_lists=False, seconds_max=0.05
            )

        with pytest.raises(RoundNotMade, match="fees were not booked"):
            operator(lambda _: None).book_fees()
        operator(book).book_fees()
