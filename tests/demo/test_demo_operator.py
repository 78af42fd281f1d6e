"""The person at the demo's desk, whose rounds may come to nothing."""

from datetime import UTC, datetime

import pytest
from building import wired

from recovery.runtime.celery_app import Bell
from recovery.runtime.demo.operator import ListsNotRead, Operator
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
        with pytest.raises(ListsNotRead, match="at the end"):
            nobody.round(last=True)
        assert operator(reads=True).round()
