"""Erasing a customer keeps the books: no figure of the report changes."""

from datetime import UTC, datetime

from building import MONDAY, Life, wired
from sqlalchemy import text

from recovery.cases.subscription import SeenSubscription
from recovery.reporting.period import Asked, span_of
from recovery.reporting.report import report
from recovery.runtime.clock import machine_now
from recovery.storage.forgetting import forget
from recovery.storage.subscription_store import save_subscriptions


def test_no_figure_changes_when_a_customer_is_erased(database_url: str) -> None:
    with wired(database_url) as wiring:
        life = Life(wiring)
        life.attempt(life.fail("in_1", at=MONDAY, interval="month", subscribed_at=datetime(2026, 1, 1, tzinfo=UTC)))
        seen = SeenSubscription(
            id="sub_in_1",
            customer="cus_in_1",
            currency="usd",
            amount_minor=4900,
            interval="month",
            interval_count=1,
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            ended_at=None,
            ended_because=None,
        )
        with wiring.database.begin() as tx:
            save_subscriptions(tx, [seen], read_at=machine_now())
        span = span_of(Asked(month="2026-09"), now=life.at)
        before = report(wiring.database, span, made_at=life.at)
        with wiring.database.begin() as tx:
            forget(tx, "cus_in_1", pseudonym="forgotten_1")
            left = tx.execute(text("SELECT count(*) FROM subscriptions WHERE customer = 'cus_in_1'")).scalar_one()
        assert left == 0
        cohort = before.tables[0].rows[0].figures
        assert (cohort["monthly_minor"], cohort["one_off_minor"]) == (4900, 0)
        assert report(wiring.database, span, made_at=life.at).tables == before.tables
