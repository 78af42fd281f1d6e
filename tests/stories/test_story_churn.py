"""Subscriptions imported from the sandbox, and churn recounted by hand."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from story_house import Ways
from story_support import Begin, Life

from recovery.gateways.port import Gateway, GatewayUnavailable, SubscriptionsPage
from recovery.intake.importing import Surroundings, import_all, import_subscriptions
from recovery.reporting.period import Asked, span_of
from recovery.reporting.report import View, report
from recovery.reporting.table import Figure, Rate
from recovery.runtime.clock import machine_now
from recovery.storage.card_store import card_use

pytest_plugins = ["story_fixtures"]

SEPTEMBER = datetime(2026, 9, 10, 17, 0, tzinfo=UTC)


class Interrupted:
    """The gateway goes away before the second page, once."""

    def __init__(self, real: Gateway) -> None:
        self.real, self.pages = real, 0

    def subscriptions_page(self, *, behind: str | None) -> SubscriptionsPage:
        self.pages += 1
        if self.pages == 2:
            raise GatewayUnavailable("away")
        return self.real.subscriptions_page(behind=behind)


def imported(life: Life, gateway: object) -> int:
    return import_subscriptions(around(life, gateway)).read


def around(life: Life, gateway: object) -> Surroundings:
    return Surroundings(
        database=life.wiring.database,
        gateway=gateway,  # type: ignore[arg-type]
        now=life.now,
        machine_clock=machine_now,
        wait=lambda: None,
    )


def churn(life: Life) -> dict[str, dict[str, Figure]]:
    span = span_of(Asked(month="2026-10"), now=life.now)
    (table,) = report(life.wiring.database, span, made_at=life.now, views=[View.CHURN], with_days=False).tables
    return {f"{row.key} {row.currency}": dict(row.figures) for row in table.rows}


def test_churn_is_counted_from_what_was_imported(begin: Begin) -> None:
    life = begin(ways=Ways(at=SEPTEMBER))
    people = [life.sandbox.make_customer() for _ in range(110)]
    subscriptions = [life.sandbox.make_subscription(person, amount_minor=1000) for person in people]
    yearly = life.sandbox.make_subscription(life.sandbox.make_customer(), amount_minor=12000, interval="year")
    life.sandbox.make_subscription(life.sandbox.make_customer(), amount_minor=500, currency="jpy")
    life.run_until(datetime(2026, 10, 6, 17, 0, tzinfo=UTC))
    for one in subscriptions[:3]:
        life.sandbox.cancel_subscription(one)
    life.sandbox.make_card(people[5], ["issuer_not_available", "approve"])
    life.invoice = life.sandbox.make_failed_invoice(people[5], amount_minor=1000, subscription=subscriptions[5])
    life.run(days=3)
    with life.sandbox.core.store.lock:
        ended = life.sandbox.core.store.get("subscription", subscriptions[4])
        ended.update(status="canceled", ended_at=int(life.now.timestamp()))
        ended["cancellation_details"] = {"comment": None, "feedback": None, "reason": "payment_failed"}

    interrupted = Interrupted(life.wiring.gateway)
    with pytest.raises(GatewayUnavailable):
        imported(life, interrupted)
    assert imported(life, interrupted) == 112, "it goes on behind the first page"
    assert interrupted.pages == 3
    assert imported(life, life.wiring.gateway) == 112, "and can be repeated"

    grown, shrunk = subscriptions[20], subscriptions[21]
    _priced(life, grown, 1500)
    _priced(life, shrunk, 900)
    assert imported(life, life.wiring.gateway) == 112

    found = churn(life)
    monthly = found["2026-10 month usd"]
    assert monthly["customers"] == 110
    assert monthly["customer_churn"] == Rate(part=4, whole=110)
    assert monthly["voluntary_churn"] == Rate(part=3, whole=110)
    assert monthly["involuntary_churn"] == Rate(part=1, whole=110)
    assert monthly["involuntary_without"] == Rate(part=2, whole=110)
    assert (monthly["monthly_minor"], monthly["left_minor"], monthly["involuntary_minor"]) == (110000, 4000, 1000)
    assert monthly["saved_minor"] == 1000
    assert (monthly["contraction_minor"], monthly["expansion_minor"]) == (100, 500)
    assert monthly["revenue_voluntary"] == Rate(part=3000, whole=110000)
    assert monthly["revenue_involuntary"] == Rate(part=1000, whole=110000)
    assert monthly["net_revenue_churn"] == Rate(part=4000 + 100 - 500, whole=110000)
    assert monthly["net_voluntary"] == Rate(part=3000 + 100 - 500, whole=110000)
    assert monthly["involuntary_measured"] == Rate(part=0, whole=0), "no holdout measured anything"
    assert found["2026-10 year usd"]["monthly_minor"] == 1000
    assert found["2026-10 month jpy"]["customers"] == 1
    assert life.sandbox.read(yearly)["status"] == "active"
    _past_is_imported(life, people[5], subscriptions[5])


def _priced(life: Life, subscription: str, minor: int) -> None:
    with life.sandbox.core.store.lock:
        life.sandbox.core.store.get("subscription", subscription)["items"]["data"][0]["price"]["unit_amount"] = minor


def _past_is_imported(life: Life, person: str, subscription: str) -> None:
    """Invoices, charges and cards: once and again with the same result, behind the page that was read before an interruption."""
    booked = list(life.sandbox.ledger.entries)
    done = dict(import_all(around(life, life.wiring.gateway)))
    assert done["charges"].read == len(booked) > 1
    assert done["invoices"].read > 0
    assert done["cards"].read > 0
    charges = "SELECT charge_id, amount_minor, succeeded, counts, budget_key FROM past_charges ORDER BY charge_id"
    with life.wiring.database.connect() as tx:
        first = tx.execute(text(charges)).all()
        cards = tx.execute(text("SELECT count(*) FROM card_history WHERE signal = 'imported'")).scalar_one()
        key = tx.execute(text("SELECT budget_key FROM past_charges LIMIT 1")).scalar_one()
        with_import = card_use(tx, key, now=life.now)
    assert {row.charge_id: row.amount_minor for row in first} == {one.charge: one.amount_minor for one in booked}
    assert [row.succeeded for row in first].count(True) == len(list(life.sandbox.ledger.succeeded()))
    with life.wiring.database.begin() as tx:
        tx.execute(text("DELETE FROM past_charges"))
        assert card_use(tx, key, now=life.now) == with_import, "what the engine knows is not counted twice"
        tx.execute(
            text("UPDATE imports SET finished_at = NULL, behind = :behind WHERE name = 'charges'"),
            {"behind": max(booked, key=lambda one: one.at).charge},
        )
    again = dict(import_all(around(life, life.wiring.gateway)))
    assert again["charges"].read == 2 * len(booked) - 1, "it goes on behind the newest"
    assert dict(import_all(around(life, life.wiring.gateway)))["charges"].read == len(booked)
    with life.wiring.database.connect() as tx:
        assert tx.execute(text(charges)).all() == first
        assert tx.execute(text("SELECT count(*) FROM card_history WHERE signal = 'imported'")).scalar_one() == cards
    with life.wiring.database.begin() as tx:
        tx.execute(text("DELETE FROM subscription_changes"))
        tx.execute(
            text("UPDATE past_charges SET charge_id = charge_id || '_before', at = :at"),
            {"at": life.now - timedelta(days=2)},
        )
        assert len(card_use(tx, key, now=life.now).uses) == 2 * len(with_import.uses), (
            "a charge from before counts against its card"
        )
    span = span_of(Asked(month="2026-10"), now=life.now)
    (table,) = report(life.wiring.database, span, made_at=life.now, views=[View.RENEWALS], with_days=False).tables
    dollars = next(row.figures for row in table.rows if row.currency == "usd")
    assert dollars["failed_share"] == Rate(part=1, whole=int(str(dollars["invoices"])))
    assert life.sandbox.read(subscription)["customer"] == person
