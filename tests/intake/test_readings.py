"""What the events of one batch share: a reading while it is fresh, and never one of another obligation."""

from datetime import UTC, datetime
from typing import cast

from building import Life, wired

from recovery.cases.obligation import Obligation
from recovery.gateways.port import Gateway
from recovery.intake.readings import FRESH, Readings


class Counted:
    """Answers as it is told to, and remembers what it was asked."""

    def __init__(self, *obligations: Obligation) -> None:
        self.obligations = {one.id: one for one in obligations}
        self.payments: dict[str, str] = {}
        self.asked: list[str] = []

    def read_obligation(self, obligation: str) -> Obligation:
        self.asked.append(obligation)
        return self.obligations[obligation]

    def obligation_of(self, *, payment_intent: str | None, charge: str | None) -> str | None:
        self.asked.append(payment_intent or charge or "")
        return self.payments.get(payment_intent or "")


def test_a_reading_is_shared_while_it_is_fresh(database_url: str) -> None:
    with wired(database_url) as wiring:
        life = Life(wiring)
        one, two = (life.owed(life.fail(name)) for name in ("in_1", "in_2"))
    now = datetime(2026, 9, 1, tzinfo=UTC)
    gateway = Counted(one, two)
    readings = Readings(cast(Gateway, gateway), lambda: now)
    assert [readings.obligation(one.id), readings.obligation(two.id), readings.obligation(one.id)] == [one, two, one]
    now += FRESH
    readings.obligation(one.id)
    assert gateway.asked == [one.id, two.id]
    now += FRESH / 10
    readings.obligation(one.id)
    assert gateway.asked == [one.id, two.id, one.id]
    Readings(cast(Gateway, gateway), lambda: now).obligation(two.id)
    assert gateway.asked[3:] == [two.id], "another batch may have been told of more"


def test_whose_payment_it_is_is_asked_until_it_is_known() -> None:
    gateway = Counted()
    readings = Readings(cast(Gateway, gateway), lambda: datetime(2026, 9, 1, tzinfo=UTC))
    assert readings.obligation_of(payment_intent="pi_1", charge=None) is None
    gateway.payments["pi_1"] = "in_1"
    assert [readings.obligation_of(payment_intent="pi_1", charge=None) for _ in range(3)] == ["in_1"] * 3
    assert gateway.asked == ["pi_1", "pi_1"]
    assert readings.obligation_of(payment_intent=None, charge="ch_1") is None
    assert readings.obligation_of(payment_intent=None, charge="ch_1") is None
    assert gateway.asked[2:] == ["ch_1", "ch_1"]
