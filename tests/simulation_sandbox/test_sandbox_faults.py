"""What networks do to a pay call, and what the obligation looks like afterwards."""

import time

import pytest
import stripe
from sandbox_support import Running

from recovery.simulation.sandbox import Faults, PayFault

pytest_plugins = ["sandbox_fixtures"]


def _failing(running: Running) -> str:
    return running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])


def _wait_until_idle(running: Running) -> None:
    deadline = time.monotonic() + 5
    while running.sandbox.state()["in_flight_requests"] and time.monotonic() < deadline:
        time.sleep(0.01)


def test_charge_then_hang(running: Running) -> None:
    invoice = _failing(running)
    running.sandbox.faults.queue([PayFault(kind="charge_then_hang", seconds=0.4)])
    with pytest.raises(stripe.APIConnectionError):
        running.timeout_client(0.15).v1.invoices.pay(invoice, {}, {"idempotency_key": "k"})
    assert running.client.v1.invoices.retrieve(invoice).status == "paid"
    with pytest.raises(stripe.APIError) as caught:
        running.pay(invoice, key="k")
    assert caught.value.http_status == 409
    _wait_until_idle(running)
    assert running.pay(invoice, key="k").status == "paid"


def test_a_charge_that_lands_late(running: Running) -> None:
    invoice = _failing(running)
    running.sandbox.faults.queue([PayFault(kind="late_charge", seconds=0.4)])
    with pytest.raises(stripe.APIConnectionError):
        running.timeout_client(0.1).v1.invoices.pay(invoice, {}, {"idempotency_key": "k"})
    assert running.client.v1.invoices.retrieve(invoice).status == "open"
    assert running.sandbox.state()["in_flight_requests"] == 1
    _wait_until_idle(running)
    assert running.client.v1.invoices.retrieve(invoice).status == "paid"
    assert running.sandbox.ledger.entries[-1].idempotency_key == "k"


def test_a_late_charge_finds_the_invoice_paid(running: Running) -> None:
    invoice = _failing(running)
    running.sandbox.faults.queue([PayFault(kind="late_charge", seconds=0.3, invoice=invoice)])
    with pytest.raises(stripe.APIConnectionError):
        running.timeout_client(0.1).v1.invoices.pay(invoice, {}, {"idempotency_key": "k1"})
    assert running.sandbox.customer_pays(invoice) is None
    _wait_until_idle(running)
    assert running.sandbox.ledger.charged_twice() == []
    assert [one.idempotency_key for one in running.sandbox.ledger.refused] == ["k1"]


@pytest.mark.parametrize(("kind", "status"), [("reset_before", "open"), ("reset_after", "paid")])
def test_a_broken_connection(running: Running, kind: str, status: str) -> None:
    invoice = _failing(running)
    running.sandbox.faults.queue([PayFault(kind=kind)])  # type: ignore[arg-type]
    with pytest.raises(stripe.APIConnectionError):
        running.pay(invoice, key="k")
    assert running.client.v1.invoices.retrieve(invoice).status == status
    assert running.pay(invoice, key="k").status == "paid"
    assert running.sandbox.ledger.charged_twice() == []


@pytest.mark.parametrize(("kind", "status"), [("charge_then_500", "paid"), ("server_error", "open")])
def test_a_500(running: Running, kind: str, status: str) -> None:
    invoice = _failing(running)
    running.sandbox.faults.queue([PayFault(kind=kind)])  # type: ignore[arg-type]
    with pytest.raises(stripe.APIError) as caught:
        running.pay(invoice, key="k")
    assert caught.value.http_status == 500
    assert running.client.v1.invoices.retrieve(invoice).status == status


def test_slow(running: Running) -> None:
    invoice = _failing(running)
    running.sandbox.faults.queue([PayFault(kind="slow", seconds=0.3)])
    began = time.monotonic()
    assert running.pay(invoice).status == "paid"
    assert time.monotonic() - began >= 0.3


def test_probabilities_follow_the_seed() -> None:
    def drawn(seed: int) -> list[str | None]:
        faults = Faults(probabilities={"slow": 0.2, "reset_after": 0.2}, seed=seed)
        return [fault.kind if (fault := faults.for_pay(f"in_{n}")) else None for n in range(200)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert 20 < drawn(1).count("slow") < 60
    assert 20 < drawn(1).count("reset_after") < 60


def test_only_known_faults_and_probabilities() -> None:
    with pytest.raises(ValueError, match="no such fault"):
        Faults(probabilities={"flood": 0.1})
    with pytest.raises(ValueError, match="between 0 and 1"):
        Faults(probabilities={"slow": 1.5})
