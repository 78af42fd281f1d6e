"""Idempotency keys over HTTP."""

import threading
import time

import pytest
import stripe
from sandbox_support import Running, Server

from recovery.simulation.sandbox import PayFault, SandboxOptions

pytest_plugins = ["sandbox_fixtures"]


def _outcomes(running: Running) -> list[str]:
    return [entry.outcome for entry in running.sandbox.ledger.entries]


def test_a_success_is_replayed(running: Running) -> None:
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    first = running.pay(invoice, key="k1")
    again = running.pay(invoice, key="k1")
    assert first.status == again.status == "paid"
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.last_response.headers  # type: ignore[union-attr]
    assert _outcomes(running) == ["declined", "succeeded"]
    assert running.sandbox.ledger.refused == []


def test_a_decline_and_a_500_are_replayed(running: Running) -> None:
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "do_not_honor", "approve"])
    codes = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            running.pay(invoice, key="k1")
        assert declined.value.error is not None
        codes.append(declined.value.error.decline_code)
    assert codes == ["do_not_honor", "do_not_honor"]
    running.sandbox.faults.queue([PayFault(kind="charge_then_500")])
    for _ in range(2):
        with pytest.raises(stripe.APIError) as broken:
            running.pay(invoice, key="k2")
        assert broken.value.http_status == 500
    assert running.client.v1.invoices.retrieve(invoice).status == "paid"
    assert _outcomes(running) == ["declined", "declined", "succeeded"]


def test_other_parameters_are_a_mismatch(running: Running) -> None:
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds"])
    with pytest.raises(stripe.CardError):
        running.pay(invoice, key="k1", off_session=True)
    with pytest.raises(stripe.IdempotencyError) as caught:
        running.pay(invoice, key="k1", off_session=False)
    assert caught.value.http_status == 400


def test_the_same_key_while_the_first_call_runs(serve: Server) -> None:
    running = serve(SandboxOptions(issuer_latency_seconds=0.5))
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    thread = threading.Thread(target=running.timeout_client(5).v1.invoices.pay, args=(invoice, {}, _key("k1")))
    thread.start()
    while invoice not in running.sandbox.core.store.busy:
        time.sleep(0.005)
    with pytest.raises(stripe.APIError) as caught:
        running.pay(invoice, key="k1")
    assert caught.value.http_status == 409
    thread.join()
    assert running.pay(invoice, key="k1").status == "paid"
    assert _outcomes(running) == ["declined", "succeeded"]


def _key(key: str) -> stripe.RequestOptions:
    return {"idempotency_key": key}


def test_a_key_expires_after_a_day_of_business_time(running: Running) -> None:
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds"])
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            running.pay(invoice, key="k1")
    assert len(running.sandbox.ledger.entries) == 2
    running.clock.advance(hours=24)
    with pytest.raises(stripe.CardError):
        running.pay(invoice, key="k1")
    assert len(running.sandbox.ledger.entries) == 3


def test_refusals_before_executing_keep_nothing(running: Running) -> None:
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    kinds = ("unauthorized", "forbidden", "rate_limited", "conflict", "reset_before")
    running.sandbox.faults.queue([PayFault(kind=kind) for kind in kinds])  # type: ignore[arg-type]
    seen = []
    for _ in kinds:
        with pytest.raises(stripe.StripeError) as caught:
            running.pay(invoice, key="k1")
        seen.append(type(caught.value).__name__)
    assert seen == ["AuthenticationError", "PermissionError", "RateLimitError", "APIError", "APIConnectionError"]
    assert running.pay(invoice, key="k1").status == "paid"


@pytest.mark.parametrize("saved", [True, False])
def test_a_lock_timeout_may_poison_its_key(serve: Server, saved: bool) -> None:
    running = serve(SandboxOptions(issuer_latency_seconds=0.3, saves_lock_timeouts=saved))
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "do_not_honor", "approve"])

    def first() -> None:
        with pytest.raises(stripe.CardError):
            running.timeout_client(5).v1.invoices.pay(invoice)

    thread = threading.Thread(target=first)
    thread.start()
    while invoice not in running.sandbox.core.store.busy:
        time.sleep(0.005)
    with pytest.raises(stripe.RateLimitError):
        running.pay(invoice, key="k1")
    thread.join()
    if saved:
        with pytest.raises(stripe.RateLimitError):
            running.pay(invoice, key="k1")
    else:
        assert running.pay(invoice, key="k1").status == "paid"


def test_every_answer_names_its_request(running: Running) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        running.client.v1.invoices.retrieve("in_none")
    assert str(caught.value.request_id).startswith("req_")
