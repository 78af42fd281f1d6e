"""Subscriptions imported from the sandbox, and churn recounted by hand."""

from datetime import UTC, datetime

import pytest
from story_house import Ways
from story_support import Begin, Life

from recovery.gateways.port import Gateway, GatewayUnavailable, SubscriptionsPage
from recovery.intake.importing import import_subscriptions
from recovery.reporting.period import Asked, span_of
from recovery.reporting.report import View, report
from recovery.reporting.table import Figure, Rate
from recovery.runtime.clock import machine_now

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
    done = import_subscriptions(
        life.wiring.database,
        gateway,  # type: ignore[arg-type]
        machine_clock=machine_now,
        wait=lambda: None,
    )
    return done.read


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

    found = churn(life)
    monthly = found["2026-10 month usd"]
    assert monthly["customers"] == 110
    assert monthly["customer_churn"] == Rate(part=4, whole=110)
    assert monthly["voluntary_churn"] == Rate(part=3, whole=110)
    assert monthly["involuntary_churn"] == Rate(part=1, whole=110)
    assert monthly["involuntary_without"] == Rate(part=2, whole=110)
    assert (monthly["monthly_minor"], monthly["left_minor"], monthly["involuntary_minor"]) == (110000, 4000, 1000)
    assert monthly["saved_minor"] == 1000
    assert found["2026-10 year usd"]["monthly_minor"] == 1000
    assert found["2026-10 month jpy"]["customers"] == 1
    assert life.sandbox.read(yearly)["status"] == "active"
