"""The holdout's figures: recounted, silent until they mean something, and right about the truth as often as they say."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import sqrt

from building import MONDAY, Life, wired

from recovery.cases.holdout import Arm, Holdout
from recovery.reporting.export import as_csv, as_json
from recovery.reporting.period import Asked, span_of
from recovery.reporting.proof import LESS, MEASURING, MORE, SAME, balance_words, lot_words, proof_table, uplift_by_count
from recovery.reporting.report import View, report
from recovery.reporting.table import Points, Rate
from recovery.reporting.workbook import as_xlsx
from recovery.runtime.clock import machine_now
from recovery.storage.case_queries import timeline
from recovery.storage.proof_queries import ALL, ArmSum, Level, Lot

NOW = datetime(2026, 12, 31, tzinfo=UTC)


def arm(which: Arm, persons: Sequence[tuple[int, int]], currency: str = ALL) -> ArmSum:
    """The sums over customers, each with cases and recovered cases of ten cents."""
    return ArmSum(
        arm=which,
        currency=currency,
        customers=len(persons),
        cases=sum(n for n, _ in persons),
        won=sum(w for _, w in persons),
        cases_squared=sum(n * n for n, _ in persons),
        won_squared=sum(w * w for _, w in persons),
        cases_won=sum(n * w for n, w in persons),
        at_risk=sum(10 * n for n, _ in persons),
        money=sum(10 * w for _, w in persons),
        at_risk_squared=sum(100 * n * n for n, _ in persons),
        money_squared=sum(100 * w * w for _, w in persons),
        at_risk_money=sum(100 * n * w for n, w in persons),
    )


def test_with_one_case_each_the_interval_is_that_of_two_proportions() -> None:
    found = uplift_by_count(
        [arm(Arm.ENGINE, [(1, 1)] * 300 + [(1, 0)] * 200), arm(Arm.HOLDOUT, [(1, 1)] * 50 + [(1, 0)] * 50)]
    )
    assert (found.engine, found.holdout) == (Rate(part=300, whole=500), Rate(part=50, whole=100))
    half = 1.959964 * sqrt(0.6 * 0.4 / 499 + 0.5 * 0.5 / 99)
    assert found.points is not None
    assert found.low is not None
    assert found.high is not None
    assert abs(found.points - 0.1) < 1e-12
    assert abs(found.low - (0.1 - half)) < 1e-6
    assert abs(found.high - (0.1 + half)) < 1e-6
    assert found.said == MEASURING, "the interval holds nought"


def test_cases_of_one_customer_are_no_independent_proof() -> None:
    lonely = uplift_by_count(
        [arm(Arm.ENGINE, [(1, 1)] * 300 + [(1, 0)] * 300), arm(Arm.HOLDOUT, [(1, 1)] * 100 + [(1, 0)] * 200)]
    )
    together = uplift_by_count(
        [arm(Arm.ENGINE, [(3, 3)] * 100 + [(3, 0)] * 100), arm(Arm.HOLDOUT, [(1, 1)] * 100 + [(1, 0)] * 200)]
    )
    assert lonely.points == together.points
    assert lonely.low is not None
    assert together.low is not None
    assert together.low < lonely.low


def test_it_says_something_only_when_there_is_something_to_say() -> None:
    won, lost = [(1, 1)], [(1, 0)]
    few = [arm(Arm.ENGINE, won * 90 + lost * 5), arm(Arm.HOLDOUT, lost * 90 + won * 5)]
    assert uplift_by_count(few).said == MEASURING
    assert uplift_by_count([]).said == MEASURING
    many = [arm(Arm.ENGINE, won * 600 + lost * 400), arm(Arm.HOLDOUT, won * 400 + lost * 600)]
    assert uplift_by_count(many).said == MORE
    assert (
        uplift_by_count([arm(Arm.ENGINE, won * 400 + lost * 600), arm(Arm.HOLDOUT, won * 600 + lost * 400)]).said
        == LESS
    )
    same = [arm(Arm.ENGINE, won * 9500 + lost * 500), arm(Arm.HOLDOUT, won * 950 + lost * 50)]
    assert uplift_by_count(same).said == SAME


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    dice, held, rounds = random.Random(3), 0, 400
    for _ in range(rounds):
        engine = [(n := dice.choice((1, 1, 2)), n * (dice.random() < 0.6)) for _ in range(400)]
        holdout = [(n := dice.choice((1, 1, 2)), n * (dice.random() < 0.5)) for _ in range(150)]
        found = uplift_by_count([arm(Arm.ENGINE, engine), arm(Arm.HOLDOUT, holdout)])
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.1 <= found.high
    assert 0.92 <= held / rounds <= 0.98


def test_a_false_lot_and_unlike_arms_are_named() -> None:
    assert lot_words(Lot(customers=1000, drawn=104, expected=100.0, variance=90.0)).startswith("as drawn")
    assert lot_words(Lot(customers=1000, drawn=140, expected=100.0, variance=90.0)).startswith("false")
    even = [
        Level(kind="reason", level="a", engine=500, holdout=52),
        Level(kind="reason", level="b", engine=500, holdout=48),
    ]
    assert balance_words(even) == "alike"
    odd = [
        Level(kind="reason", level="a", engine=500, holdout=80),
        Level(kind="reason", level="b", engine=500, holdout=20),
    ]
    assert balance_words(odd).startswith("reason ")
    assert "against" in balance_words(odd)
    assert balance_words([]) == "too few to tell"


def test_arms_are_pinned_shown_and_recounted(database_url: str) -> None:
    with wired(database_url) as wiring:
        book = wiring.rulebook
        with wiring.database.connect() as tx:
            policy = book.rules_for(tx, book.current).policy
        holdout = Holdout(share=0.5)
        book.adopt(replace(policy, holdout=holdout), database=wiring.database, machine_now=machine_now())
        life = Life(wiring)
        names = [f"in_{number}" for number in range(8)]
        cases = {
            name: life.fail(name, at=MONDAY, minor=1000, currency="usd" if name != "in_7" else "jpy") for name in names
        }
        arms = {name: holdout.arm_of(f"cus_{name}", before=None) for name in names}
        assert set(arms.values()) == set(Arm)
        assert {name: life.case(case).arm for name, case in cases.items()} == arms
        for name in names[::2]:
            life.attempt(cases[name])
        with wiring.database.connect() as tx:
            told = {name: timeline(tx, case)[0].reason for name, case in cases.items()}
        assert {
            name: Arm.HOLDOUT if "is in the holdout" in words else Arm.ENGINE for name, words in told.items()
        } == arms

        # Whoever was drawn stays in the arm although the policy would draw otherwise by now.
        book.adopt(
            replace(policy, holdout=Holdout(share=0.5, lot="b")), database=wiring.database, machine_now=machine_now()
        )
        redrawn = next(n for n in names if Holdout(share=0.5, lot="b").arm_of(f"cus_{n}", before=None) is not arms[n])
        again = life.fail(f"{redrawn}_b", customer=f"cus_{redrawn}", at=life.at)
        assert life.case(again).arm is arms[redrawn]

        span = span_of(Asked(month="2026-09"), now=NOW)
        found = report(wiring.database, span, made_at=NOW, views=[View.PROOF, View.ARM], with_days=False)
        by_arm, proof = found.tables
        assert sum(int(str(row.figures["cases"])) for row in by_arm.rows if row.currency == "jpy") == 1
        rows = {row.currency: row.figures for row in proof.rows}
        for which in Arm:
            mine = [name for name in names if arms[name] is which]
            won = sum(1 for name in mine if name in names[::2])
            extra = 1 if arms[redrawn] is which else 0
            assert rows[ALL][f"{which}_count"] == Rate(part=won, whole=len(mine) + extra)
            assert rows[ALL][f"{which}_customers"] == len(mine)
        assert rows["jpy"]["said_value"] == MEASURING
        assert "of 8 in the holdout, 4 expected" in str(rows[ALL]["lot"])
        values = json.loads(as_json(found))["tables"]["proof"]["rows"][0]
        assert set(values["uplift_count"]) == {"points"}
        assert "still measuring" in as_csv(found)
        assert as_xlsx(found)
        early = report(wiring.database, span, made_at=MONDAY + timedelta(days=29), views=[View.PROOF], with_days=False)
        assert early.tables[0].rows == (), "nobody had thirty days yet"


def test_one_currency_has_no_row_over_all() -> None:
    persons = [(1, 1)] * 3 + [(1, 0)] * 2
    arms = [arm(which, persons, currency) for which in Arm for currency in (ALL, "usd")]
    table = proof_table(arms, Lot(customers=10, drawn=5, expected=5.0, variance=2.5), [])
    (row,) = table.rows
    assert (row.currency, row.figures["uplift_value"]) == ("usd", Points(value=Decimal("0.00")))
