"""Signed events, at least once."""

import pytest
import stripe
from sandbox_support import Receiver, Running, Server

from recovery.simulation.sandbox import PayFault, SandboxOptions, WebhookFault

pytest_plugins = ["sandbox_fixtures"]

QUICK = SandboxOptions(webhook_backoff_seconds=0.02, webhook_concurrency=1)


def _with(serve: Server, receiver: Receiver, options: SandboxOptions = QUICK) -> Running:
    return serve(options, webhook_endpoints=[(receiver.url, receiver.secret)])


def test_events_of_a_failed_and_then_paid_renewal(serve: Server, receiver: Receiver) -> None:
    running = _with(serve, receiver)
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    running.pay(invoice, key="attempt-7")
    assert running.sandbox.wait_for_webhooks()
    types = receiver.types()
    for wanted in (
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "charge.failed",
        "payment_intent.payment_failed",
        "invoice.payment_failed",
        "customer.subscription.updated",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.paid",
        "invoice.payment_succeeded",
    ):
        assert wanted in types
    by_type = {event.type: event for event in receiver.events()}
    failed, paid = by_type["invoice.payment_failed"], by_type["invoice.paid"]
    assert failed.request is not None
    assert failed.request.idempotency_key is None
    assert failed.request.id is None
    assert paid.request is not None
    assert paid.request.idempotency_key == "attempt-7"
    assert str(paid.request.id).startswith("req_")
    assert failed.created == int(running.clock.at.timestamp())
    assert failed.data.object["id"] == invoice
    assert "charge" not in failed.data.object


def test_the_customers_own_payment_has_a_request_but_no_key(serve: Server, receiver: Receiver) -> None:
    running = _with(serve, receiver)
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    assert running.sandbox.customer_pays(invoice) is None
    assert running.sandbox.wait_for_webhooks()
    paid = next(event for event in receiver.events() if event.type == "invoice.paid")
    assert paid.request is not None
    assert paid.request.id is not None
    assert paid.request.idempotency_key is None


def test_a_forged_body_is_refused(serve: Server, receiver: Receiver) -> None:
    running = _with(serve, receiver)
    running.sandbox.make_customer()
    assert running.sandbox.wait_for_webhooks()
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(receiver.bodies[0] + b" ", receiver.signatures[0], receiver.secret)


def test_redelivered_until_acknowledged(serve: Server, receiver: Receiver) -> None:
    running = _with(serve, receiver)
    receiver.answers = [500, 503]
    running.sandbox.make_customer()
    assert running.sandbox.wait_for_webhooks()
    ids = [event.id for event in receiver.events()]
    assert len(ids) == 3
    assert len(set(ids)) == 1
    assert running.sandbox.state()["pending_webhooks"] == 0


def test_given_up_in_the_end(serve: Server, receiver: Receiver) -> None:
    options = SandboxOptions(webhook_backoff_seconds=0.01, webhook_attempts_max=3)
    running = _with(serve, receiver, options)
    receiver.answers = [500] * 10
    running.sandbox.make_customer()
    assert running.sandbox.wait_for_webhooks()
    assert len(receiver.bodies) == 3
    assert running.sandbox.state()["webhooks"] == {"delivered": 0, "given_up": 1}


def test_several_endpoints_with_their_own_secrets(serve: Server, receiver: Receiver) -> None:
    running = serve(QUICK, webhook_endpoints=[(receiver.url, "whsec_one"), (receiver.url + "/two", "whsec_two")])
    running.sandbox.make_customer()
    assert running.sandbox.wait_for_webhooks()
    assert len(receiver.bodies) == 2
    verified = set()
    for body, signature in zip(receiver.bodies, receiver.signatures, strict=True):
        for secret in ("whsec_one", "whsec_two"):
            try:
                stripe.Webhook.construct_event(body, signature, secret)
            except stripe.SignatureVerificationError:
                continue
            verified.add(secret)
    assert verified == {"whsec_one", "whsec_two"}


def test_lost_doubled_late_and_reordered(serve: Server, receiver: Receiver) -> None:
    running = _with(serve, receiver)
    sandbox = running.sandbox
    sandbox.faults.queue(
        [
            WebhookFault(kind="lost", event_type="invoice.created"),
            WebhookFault(kind="doubled", event_type="invoice.finalized"),
            WebhookFault(kind="reordered", event_type="charge.failed", seconds=0.2),
            WebhookFault(kind="late_business", event_type="invoice.payment_failed", seconds=3600),
        ]
    )
    sandbox.make_failed_invoice(behaviour=["insufficient_funds"])
    assert sandbox.wait_for_webhooks()
    types = receiver.types()
    assert "invoice.created" not in types
    assert types.count("invoice.finalized") == 2
    assert types[-1] == "charge.failed"
    assert "invoice.payment_failed" not in types
    assert sandbox.play(running.clock.advance(hours=1)) == 1
    assert sandbox.wait_for_webhooks()
    assert receiver.types()[-1] == "invoice.payment_failed"
    listed = {event.type for event in running.client.v1.events.list({"limit": 100}).data}
    assert {"invoice.created", "invoice.payment_failed"} <= listed
    assert sandbox.state()["faults_happened"] == {"lost": 1, "doubled": 1, "reordered": 1, "late_business": 1}


def test_the_event_may_arrive_before_the_answer(serve: Server, receiver: Receiver) -> None:
    running = _with(serve, receiver)
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    running.sandbox.faults.queue([PayFault(kind="charge_then_hang", seconds=0.5)])
    with pytest.raises(stripe.APIConnectionError):
        running.timeout_client(0.3).v1.invoices.pay(invoice, {}, {"idempotency_key": "a1"})
    assert running.sandbox.wait_for_webhooks()
    paid = next(event for event in receiver.events() if event.type == "invoice.paid")
    assert paid.request is not None
    assert paid.request.idempotency_key == "a1"


def test_events_in_the_old_shape(serve: Server, receiver: Receiver) -> None:
    running = _with(serve, receiver, SandboxOptions(event_shape="legacy"))
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds"])
    assert running.sandbox.wait_for_webhooks()
    by_type = {event.type: event for event in receiver.events()}
    event = by_type["invoice.payment_failed"]
    assert event.api_version == "2024-06-20"
    shown = event.data.object
    assert shown["paid"] is False
    assert shown["charge"].startswith("ch_")
    assert shown["payment_intent"].startswith("pi_")
    assert shown["subscription"].startswith("sub_")
    assert by_type["charge.failed"].data.object["invoice"] == invoice
    assert "paid" not in running.client.v1.invoices.retrieve(invoice)
