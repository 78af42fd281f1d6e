"""What the real client sees when an invoice is paid."""

import threading
import time

import pytest
import stripe
from sandbox_support import Running, Server, connect

from recovery.simulation.answers import decline
from recovery.simulation.sandbox import SandboxOptions

pytest_plugins = ["sandbox_fixtures"]


def test_success_after_a_decline(running: Running) -> None:
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    before = running.client.v1.invoices.retrieve(invoice)
    assert (before.status, before.amount_remaining, before.attempt_count) == ("open", 4900, 1)
    assert before.billing_reason == "subscription_cycle"

    paid = running.pay(invoice, off_session=True, key="attempt-1")

    assert (paid.status, paid.amount_remaining, paid.amount_paid) == ("paid", 0, 4900)
    first, second = running.sandbox.ledger.entries
    assert (first.outcome, first.decline_code, first.initiator) == ("declined", "insufficient_funds", "gateway")
    assert (second.outcome, second.initiator, second.idempotency_key) == ("succeeded", "engine", "attempt-1")


def test_a_decline_carries_all_four_signals(running: Running) -> None:
    customer = running.sandbox.make_customer()
    running.sandbox.make_card(customer, ["do_not_honor"], brand="mastercard")
    invoice = running.sandbox.make_failed_invoice(customer)

    with pytest.raises(stripe.CardError) as caught:
        running.pay(invoice, off_session=True)

    error = caught.value.error
    assert caught.value.http_status == 402
    assert caught.value.code == "card_declined"
    assert error is not None
    assert error.decline_code == "do_not_honor"
    assert error.advice_code == "try_again_later"
    assert error.network_decline_code == "05"
    assert error.network_advice_code == "02"
    assert error.payment_method is not None
    assert error.payment_method.card.brand == "mastercard"  # type: ignore[union-attr]
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    assert error.charge is not None
    charge = running.client.v1.charges.retrieve(error.charge)
    assert charge.outcome is not None
    assert charge.outcome.type == "issuer_declined"
    assert charge.outcome.network_status == "declined_by_network"
    assert charge.outcome.network_decline_code == "05"
    assert charge.failure_code == "card_declined"


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_the_documented_test_cards(running: Running, card: str, code: str, decline_code: str) -> None:
    customer = running.client.v1.customers.create({"email": "a@example.com"})
    method = running.client.v1.payment_methods.attach(card, {"customer": customer.id})
    invoice = running.sandbox.make_failed_invoice(customer.id)
    with pytest.raises(stripe.CardError) as caught:
        running.pay(invoice, payment_method=method.id)
    assert caught.value.code == code
    assert caught.value.error is not None
    assert caught.value.error.decline_code == decline_code


@pytest.mark.parametrize("name", ["LostCard", "StolenCard"])
def test_the_gateway_itself_refuses_after_a_hard_decline(running: Running, name: str) -> None:
    invoice = running.sandbox.make_failed_invoice(behaviour=f"pm_card_visa_chargeDeclined{name}")
    with pytest.raises(stripe.CardError) as caught:
        running.pay(invoice)
    assert caught.value.error is not None
    assert caught.value.error.decline_code == "generic_decline"
    charge = running.client.v1.charges.retrieve(str(caught.value.error.charge))
    assert charge.outcome is not None
    assert charge.outcome.type == "blocked"
    assert charge.outcome.network_status == "not_sent_to_network"
    assert charge.outcome.reason == "previously_declined_do_not_retry"
    assert [entry.outcome for entry in running.sandbox.ledger.entries] == ["declined", "blocked"]


def test_fresh_details_lift_the_refusal(running: Running) -> None:
    sandbox = running.sandbox
    customer = sandbox.make_customer()
    card = sandbox.make_card(customer, ["lost_card", "approve"])
    invoice = sandbox.make_failed_invoice(customer)
    sandbox.refresh_card(card, last4="9999", exp_year=2036)
    assert running.pay(invoice).status == "paid"


def test_authentication_needs_the_customer(running: Running) -> None:
    invoice = running.sandbox.make_failed_invoice(behaviour="pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as caught:
        running.pay(invoice, off_session=True)
    assert caught.value.http_status == 402
    events = running.client.v1.events.list({"type": "invoice.payment_action_required"})
    assert len(events.data) == 1
    assert running.sandbox.customer_pays(invoice) is None
    assert running.client.v1.invoices.retrieve(invoice).status == "paid"
    assert running.sandbox.ledger.entries[-1].initiator == "customer"


def test_authentication_code_on_the_first_try(serve: Server) -> None:
    running = serve(SandboxOptions(blocks_hard_retries=False))
    invoice = running.sandbox.make_failed_invoice(behaviour="pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as caught:
        running.pay(invoice, off_session=True)
    assert caught.value.code == "authentication_required"
    assert caught.value.error is not None
    assert caught.value.error.decline_code == "authentication_required"


def test_processing_stays_open_and_settles_later(running: Running) -> None:
    sandbox = running.sandbox
    customer = sandbox.make_customer()
    debit = sandbox.make_debit(customer)
    invoice = sandbox.make_failed_invoice(customer)
    assert running.client.v1.payment_methods.retrieve(debit).type == "sepa_debit"
    found = running.client.v1.invoices.retrieve(invoice, {"expand": ["payments.data.payment.payment_intent"]})
    assert found.status == "open"
    assert found.payments is not None
    intent = found.payments.data[0].payment.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert intent.status == "processing"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        running.pay(invoice)
    assert caught.value.code == "payment_intent_unexpected_state"
    assert sandbox.play(running.clock.advance(hours=2)) == 1
    assert running.client.v1.invoices.retrieve(invoice).status == "paid"
    assert [entry.outcome for entry in sandbox.ledger.entries] == ["processing", "succeeded"]


def test_processing_may_fail_later(running: Running) -> None:
    invoice = running.sandbox.make_failed_invoice(behaviour=["processing_then_insufficient_funds", "approve"])
    running.sandbox.play(running.clock.advance(hours=2))
    found = running.client.v1.invoices.retrieve(invoice)
    assert found.status == "open"
    assert "charge.failed" in [event.type for event in running.client.v1.events.list({"limit": 100}).data]
    assert running.pay(invoice).status == "paid"


def test_paid_and_voided_invoices_cannot_be_paid(running: Running) -> None:
    paid = running.sandbox.make_failed_invoice(behaviour=["approve"])
    with pytest.raises(stripe.InvalidRequestError, match="already paid") as caught:
        running.pay(paid)
    assert caught.value.http_status == 400
    void = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    assert running.client.v1.invoices.void_invoice(void).status == "void"
    with pytest.raises(stripe.InvalidRequestError, match="Voided"):
        running.pay(void, key="k")
    refused = running.sandbox.ledger.refused
    assert [(one.status, one.initiator) for one in refused] == [("paid", "engine"), ("void", "engine")]


def test_unknown_invoice_wrong_key_and_read_only_key(serve: Server) -> None:
    running = serve(SandboxOptions(restricted_keys=frozenset({"rk_test_read"})))
    with pytest.raises(stripe.InvalidRequestError) as missing:
        running.pay("in_none")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.AuthenticationError):
        connect(running.url, "sk_test_wrong").v1.invoices.retrieve("in_none")
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds"])
    reader = connect(running.url, "rk_test_read")
    assert reader.v1.invoices.retrieve(invoice).id == invoice
    with pytest.raises(stripe.PermissionError):
        reader.v1.invoices.pay(invoice)


def test_concurrent_pays_charge_once(serve: Server) -> None:
    running = serve(SandboxOptions(issuer_latency_seconds=0.3))
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    results: list[object] = []

    def pay() -> None:
        try:
            results.append(running.timeout_client(5).v1.invoices.pay(invoice).status)
        except stripe.StripeError as error:
            # RateLimitError itself leaves `code` empty; the body has it.
            results.append((error.http_status, error.error.code if error.error else None))

    threads = [threading.Thread(target=pay) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("paid") == 1
    assert results.count((429, "lock_timeout")) == 4
    assert [entry.outcome for entry in running.sandbox.ledger.entries] == ["declined", "succeeded"]
    assert running.sandbox.ledger.charged_twice() == []


def test_different_invoices_are_paid_at_the_same_time(serve: Server) -> None:
    running = serve(SandboxOptions(issuer_latency_seconds=0.4))
    invoices = [running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"]) for _ in range(5)]
    threads = [
        threading.Thread(target=running.timeout_client(5).v1.invoices.pay, args=(invoice,)) for invoice in invoices
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 1.6  # one after the other it would be 2.0
    assert running.sandbox.ledger.totals()["usd"]["charges"] == 5


def test_an_answer_of_ones_own(running: Running) -> None:
    odd = decline("brand_new_code", network_codes=False)
    invoice = running.sandbox.make_failed_invoice(behaviour=[odd])
    with pytest.raises(stripe.CardError) as caught:
        running.pay(invoice)
    assert caught.value.error is not None
    assert caught.value.error.decline_code == "brand_new_code"
    assert caught.value.error.network_decline_code is None


def test_the_subscriptions_card_comes_before_the_customers(running: Running) -> None:
    sandbox, client = running.sandbox, running.client
    customer = sandbox.make_customer()
    old = sandbox.make_card(customer, ["insufficient_funds"])
    subscription = sandbox.make_subscription(customer)
    client.v1.subscriptions.update(subscription, {"default_payment_method": old})
    invoice = sandbox.make_failed_invoice(customer)
    assert client.v1.subscriptions.retrieve(subscription).status == "past_due"
    new = sandbox.make_card(customer, ["approve"], default=False)
    sandbox.customer_saves_card(customer, new)
    with pytest.raises(stripe.CardError):
        running.pay(invoice)
    assert running.pay(invoice, payment_method=new).status == "paid"
    assert client.v1.subscriptions.retrieve(subscription).status == "active"


def test_a_pay_call_is_cheap(running: Running) -> None:
    invoices = [running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"]) for _ in range(60)]
    began = time.process_time()
    for invoice in invoices:
        running.pay(invoice, off_session=True)
    # Client and server share this process: the sum is an upper bound of the server's part.
    assert (time.process_time() - began) / len(invoices) < 0.015
