"""Churn against a count made subscription by subscription, and against a holdout whose answer is known."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from building import MONDAY, Life, renewing, wired
from sqlalchemy import text

from recovery.cases.subscription import SeenSubscription
from recovery.reporting.churn import churn_table
from recovery.reporting.period import Asked, span_of
from recovery.reporting.proof import LESS, MEASURING, MORE, Uplift
from recovery.reporting.report import View, report
from recovery.reporting.table import TOTAL, Rate
from recovery.runtime.clock import machine_now
from recovery.runtime.wiring import Wiring
from recovery.storage.churn_queries import ChurnSum, churn_sums
from recovery.storage.report_rollup import roll_up
from recovery.storage.subscription_store import save_subscriptions

BEGINS = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 8)]
NOW = datetime(2026, 12, 31, tzinfo=UTC)
Prices = list[tuple[datetime, int]]


@pytest.fixture
def wiring(database_url: str) -> Iterator[Wiring]:
    with wired(database_url) as made:
        yield made


def _some(dice: random.Random) -> list[tuple[SeenSubscription, Prices]]:
    """Subscriptions of few customers, so that many have several; each with its prices from the start on."""
    found = []
    for number in range(120):
        started_at = BEGINS[0] + timedelta(days=dice.uniform(-200, 170))
        ended_at = started_at + timedelta(days=dice.uniform(5, 300)) if dice.random() < 0.5 else None
        prices = [(started_at, dice.choice((1000, 2500)))]
        if ended_at is None and dice.random() < 0.4:
            prices += [
                (BEGINS[month] + timedelta(days=9), dice.choice((500, 1000, 4000)))
                for month in sorted(dice.sample(range(6), 2))
                if BEGINS[month] > started_at
            ]
        seen = renewing(
            str(number),
            prices[0][1],
            since=started_at,
            customer=f"cus_{dice.randrange(70)}",
            currency=dice.choice(("usd", "usd", "jpy")),
            interval_count=dice.choice((1, 1, 3)),
            ended_at=ended_at,
            ended_because=dice.choice((None, "payment_failed", "cancellation_requested")) if ended_at else None,
        )
        found.append((seen, prices))
    return found


def _kept(wiring: Wiring, some: list[tuple[SeenSubscription, Prices]]) -> None:
    """As imports would have found them, price by price."""
    changes = sorted((at, place) for place, (_, prices) in enumerate(some) for at, _ in prices[1:])
    with wiring.database.begin() as tx:
        for begin in range(0, len(some), 17):
            page = [seen for seen, _ in some[begin : begin + 17]]
            save_subscriptions(tx, page, read_at=BEGINS[0] - timedelta(days=300))
        for at, place in changes:
            seen, prices = some[place]
            now = replace(seen, amount_minor=dict(prices)[at])
            save_subscriptions(tx, [now], read_at=at)


def _counted(some: list[tuple[SeenSubscription, Prices]]) -> dict[tuple[str, str, str], dict[str, int]]:
    """One by one: who had a subscription when a month began, and none of that currency when it ended."""
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    for begins, ends in pairwise(BEGINS):
        groups: dict[tuple[str, str], list[tuple[SeenSubscription, Prices]]] = {}
        for seen, prices in some:
            if seen.started_at < begins and (seen.ended_at is None or seen.ended_at >= begins):
                contract = "month" if seen.interval_count == 1 else "3 x month"
                groups.setdefault((contract, seen.currency), []).append((seen, prices))
        for (contract, currency), mine in groups.items():
            sums: Counter[str] = Counter()
            persons: dict[str, list[tuple[bool, bool]]] = {}
            for seen, prices in mine:
                ended = seen.ended_at is not None and seen.ended_at < ends
                unwilling = ended and seen.ended_because == "payment_failed"
                persons.setdefault(seen.customer, []).append((ended, unwilling))
                before, after = (
                    _monthly(max((p for p in prices if p[0] < at), default=prices[0])[1], seen) for at in (begins, ends)
                )
                sums["monthly_minor"] += before
                sums["left_minor"] += before * ended
                sums["involuntary_minor"] += before * unwilling
                if not ended:
                    sums["contraction_minor"] += max(0, before - after)
                    sums["expansion_minor"] += max(0, after - before)
            stayed = {
                seen.customer
                for seen, _ in some
                if seen.currency == currency
                and seen.started_at < ends
                and (seen.ended_at is None or seen.ended_at >= ends)
            }
            gone = [marks for name, marks in persons.items() if name not in stayed]
            sums["customers"] = len(persons)
            sums["left_customers"] = len(gone)
            sums["involuntary_customers"] = sum(any(unwilling for _, unwilling in marks) for marks in gone)
            found[f"{begins:%Y-%m}", contract, currency] = dict(sums)
    return found


def _monthly(minor: int, seen: SeenSubscription) -> int:
    return int(minor / seen.interval_count + 0.5)


@pytest.mark.parametrize("seed", [1, 2])
def test_churn_equals_a_count_one_by_one(wiring: Wiring, seed: int) -> None:
    some = _some(random.Random(seed))
    _kept(wiring, some)
    span = span_of(Asked(first="2026-01-01", last="2026-06-30"), now=NOW)
    with wiring.database.connect() as tx:
        told = churn_sums(tx, span)
        alone = tx.execute(text("SELECT count(*) FROM subscriptions WHERE NOT several")).scalar_one()
    assert 0 < alone < len(some)
    expected = _counted(some)
    names = next(iter(expected.values())).keys()
    assert {
        (one.month, one.contract, one.currency): {name: getattr(one, name) for name in names} for one in told
    } == expected


def test_an_import_tells_the_tenure_of_a_case_that_did_not_know_it(wiring: Wiring) -> None:
    """From the subscription's true start, line by line and rolled up; a case that knew it keeps its own."""
    life = Life(wiring)
    life.fail("unknown", at=MONDAY)
    life.fail("known", at=MONDAY, subscribed_at=MONDAY - timedelta(days=30))
    span = span_of(Asked(month="2026-09"), now=NOW)

    def tenures() -> dict[str, object]:
        (table,) = report(wiring.database, span, made_at=NOW, views=[View.TENURE], with_days=False).tables
        return {row.key: row.figures["cases"] for row in table.rows if row.key != TOTAL}

    def rolled_up() -> None:
        while roll_up(wiring.database, machine_now=machine_now(), limit=10, zone="UTC"):
            pass

    rolled_up()
    assert tenures() == {"unknown": 1, "00 to 3 months": 1}
    seen = [renewing(name, 4900, since=MONDAY - timedelta(days=400)) for name in ("unknown", "known")]
    with wiring.database.begin() as tx:
        save_subscriptions(tx, seen, read_at=MONDAY)
    expected = {"12 months and more": 1, "00 to 3 months": 1}
    assert tenures() == expected
    rolled_up()
    assert tenures() == expected


def _month(**sums: int) -> ChurnSum:
    others = dict.fromkeys((name for name in ChurnSum.__dataclass_fields__ if name not in sums), 0)
    return ChurnSum(**{**others, **sums, "month": "2026-10", "contract": "month", "currency": "usd"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("points", "said", "measured"),
    [
        (0.25, MORE, Rate(part=30 + 25, whole=1000)),
        (-0.1, LESS, Rate(part=30 - 10, whole=1000)),
        (0.25, MEASURING, Rate(part=0, whole=0)),
    ],
)
def test_the_churn_without_the_engine_is_the_holdouts(points: float, said: str, measured: Rate) -> None:
    """A hundred customers' renewals failed: as many of them as the engine recovers more would have left."""
    sums = _month(customers=1000, involuntary_customers=30, failed_customers=100, saved_customers=70)
    uplift = Uplift(
        engine=Rate(part=0, whole=0), holdout=Rate(part=0, whole=0), points=points, low=0.0, high=0.0, said=said
    )
    (row,) = churn_table([sums], uplift).rows
    assert row.figures["involuntary_measured"] == measured
    assert row.figures["involuntary_without"] == Rate(part=100, whole=1000), "the bound does not change"


_RENEWALS = """
INSERT INTO cases (id, gateway, obligation, customer, subscription, amount_minor, currency, state, policy, failed_at, horizon_at,
    subscribed_at, interval, card, tried_card, verdict, dead_cards, refreshes, emails_sent, email_tries, escalations, source, ended_at,
    opened_at, changed_at, segment, arm)
SELECT 'case_in_' || n, 'stripe', 'in_' || n, 'cus_' || n, 'sub_' || n, 1000, 'usd',
    CASE WHEN won THEN 'recovered' ELSE 'lost' END, 'v', :at, :at, :since, 'month', '{}', '{}', '{}', '[]', 0, 0, 0, 0,
    CASE WHEN won THEN 'silent_retry' END, :ended, :at, :at, '', CASE WHEN n < 200 THEN 'engine' ELSE 'holdout' END
FROM (SELECT n, n % 200 < CASE WHEN n < 200 THEN 150 ELSE 100 END AS won FROM generate_series(0, 399) n) x"""


def test_a_known_holdout_is_found_in_the_database(wiring: Wiring) -> None:
    """Of 200 customers 150 are recovered with the engine, 100 of as many in the holdout: 25 more in a hundred."""
    with wiring.database.begin() as tx:
        tx.execute(text("SET LOCAL session_replication_role = replica"))
        at, since = MONDAY, MONDAY - timedelta(days=400)
        tx.execute(text(_RENEWALS), {"at": at, "since": since, "ended": at + timedelta(days=5)})
        tx.execute(text("SET LOCAL session_replication_role = origin"))
        tx.execute(text("INSERT INTO report_stale (case_id) SELECT id FROM cases"))
        seen = []
        for number in range(400):
            left = number % 200 >= (150 if number < 200 else 100)
            gone = {"ended_at": at + timedelta(days=5), "ended_because": "payment_failed"} if left else {}
            seen.append(renewing(str(number), 1000, since=since, **gone))
        save_subscriptions(tx, seen, read_at=at)
    span = span_of(Asked(month="2026-09"), now=NOW)
    (table,) = report(wiring.database, span, made_at=NOW, views=[View.CHURN], with_days=False).tables
    (row,) = table.rows
    assert row.figures["involuntary_churn"] == Rate(part=150, whole=400)
    assert row.figures["involuntary_measured"] == Rate(part=150 + 50, whole=400), "the holdout never had the engine"
    assert row.figures["involuntary_without"] == Rate(part=150 + 250, whole=400)
