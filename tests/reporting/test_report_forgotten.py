"""Erasing a customer keeps the books: no figure of the report changes."""

from datetime import UTC, datetime, timedelta

from building import MONDAY, Life, renewing, wired
from sqlalchemy import text

from recovery.cases import facts
from recovery.reporting.period import Asked, span_of
from recovery.reporting.report import View, report
from recovery.reporting.table import Rate
from recovery.runtime.clock import machine_now
from recovery.runtime.wiring import Wiring
from recovery.storage.forgetting import forget
from recovery.storage.subscription_store import save_subscriptions


def test_no_figure_changes_when_a_customer_is_erased(database_url: str) -> None:
    with wired(database_url) as wiring:
        life = Life(wiring)
        life.attempt(life.fail("in_1", at=MONDAY, interval="month", subscribed_at=datetime(2026, 1, 1, tzinfo=UTC)))
        since = datetime(2026, 1, 1, tzinfo=UTC)
        seen = renewing("in_1", 4900, since=since)
        ended = renewing("in_2", 4900, since=since, ended_at=datetime(2026, 9, 28, tzinfo=UTC))
        with wiring.database.begin() as tx:
            save_subscriptions(tx, [seen, ended], read_at=machine_now())
        span = span_of(Asked(month="2026-09"), now=life.at)
        _never_again(wiring, life)
        networks = wiring.rulebook.networks
        before = report(wiring.database, span, made_at=life.at, networks=networks)
        with wiring.database.begin() as tx:
            forget(tx, "cus_in_1", pseudonym="forgotten_1")
            forget(tx, "cus_in_2", pseudonym="forgotten_2")
            left = tx.execute(text("SELECT count(*) FROM subscriptions WHERE customer = 'cus_in_1'")).scalar_one()
        assert left == 0
        cohort = before.tables[0].rows[0].figures
        assert (cohort["monthly_minor"], cohort["one_off_minor"]) == (4900, 0)
        churn = next(table for table in before.tables if table.name == View.CHURN)
        assert churn.rows[0].figures["involuntary_churn"] == Rate(part=1, whole=2), "the second left over a lost case"
        assert report(wiring.database, span, made_at=life.at, networks=networks).tables == before.tables


def _never_again(wiring: Wiring, life: Life) -> None:
    """A card that must not be tried again, and a case that learns its tenure only from the import."""
    with wiring.database.begin() as tx:
        tx.execute(text("""UPDATE attempts SET signals = '{"network_decline_code": "43"}'"""))
    lost = life.fail("in_2", at=MONDAY + timedelta(days=3), interval="month")
    life.attempt(lost, life.declined())
    life.tell(lost, facts.InvoiceWrittenOff(obligation_id="in_2", at=life.at))
