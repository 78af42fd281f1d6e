"""Invoices, charges and cards in both generations of Stripe's JSON come out as the same obligation."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from stripe_stub import (
    CREATED,
    INVOICE,
    STARTED_AT,
    Reply,
    Stub,
    charge,
    error,
    gateway,
    intent,
    invoice,
    listed,
    method,
    paid_invoice,
    stub,
    won,
)

from recovery.cases.obligation import ChargeStatus, ObligationStatus
from recovery.declines.signals import Initiator
from recovery.gateways.port import GatewayMisconfigured, GatewayRefused, GatewayUnavailable, NotFound
from recovery.gateways.stripe import Limits, StripeGateway
from recovery.gateways.stripe.cards import card_of_charge, card_of_method
from recovery.gateways.stripe.charges import charge_of, refused, signals_of
from recovery.money import Money

CHARGES = "GET /v1/charges"
EVENTS = "GET /v1/events"
SUBSCRIPTION = "GET /v1/subscriptions/sub_1"
CUSTOMER = "GET /v1/customers/cus_1"


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub() as made:
        made.on(SUBSCRIPTION, {"id": "sub_1", "object": "subscription", "status": "past_due"})
        made.on(CHARGES, listed(charge()))
        yield made


@pytest.fixture
def stripe(server: Stub) -> Iterator[StripeGateway]:
    with gateway(server.url) as made:
        yield made


def legacy(**fields: Any) -> dict[str, Any]:
    """The same invoice before basil."""
    old = invoice(**fields)
    del old["payments"], old["parent"]
    return {**old, "charge": "ch_1", "payment_intent": "pi_1", "paid": False, "subscription": "sub_1"}


def test_both_shapes_give_the_same_obligation(server: Stub, stripe: StripeGateway) -> None:
    server.on(INVOICE, invoice(), legacy())
    new, old = stripe.read_obligation("in_1"), stripe.read_obligation("in_1")
    assert new == old
    assert new.remaining == Money(minor=4900, currency="usd")
    assert new.subscription == "sub_1"
    assert new.subscription_live
    assert new.charge_automatically
    assert new.pays_by_card
    assert [one.id for one in new.charges] == ["ch_1"]
    assert new.last_failure is not None
    assert new.last_failure.signals is not None
    assert (
        new.last_failure.signals.brief() == "insufficient_funds, network 51, network advice 02, advice try_again_later"
    )
    assert new.charges[0].initiator is None


def test_all_charges_of_all_intents_are_read_page_by_page_oldest_first(server: Stub, stripe: StripeGateway) -> None:
    newest = won(id="ch_3") | {"created": CREATED + 30}
    middle, oldest = charge(id="ch_2", created=CREATED + 20), charge(id="ch_1", created=CREATED + 10)
    other = charge(id="ch_0", created=CREATED + 5, payment_intent="pi_2")
    server.on(INVOICE, invoice(intents=(intent(), intent(id="pi_2"))))
    server.on(CHARGES, listed(newest, middle, more=True), listed(oldest), listed(other))
    found = stripe.read_obligation("in_1")
    assert [one.id for one in found.charges] == ["ch_0", "ch_1", "ch_2", "ch_3"]
    assert [one.id for one in found.succeeded] == ["ch_3"]
    assert server.lines(CHARGES)[1].params["starting_after"] == "ch_2"


def test_more_payments_than_fit_into_the_invoice_are_listed(server: Stub, stripe: StripeGateway) -> None:
    short = invoice()
    short["payments"]["has_more"] = True
    server.on(INVOICE, short)
    server.on("GET /v1/invoice_payments", invoice(intents=(intent(), intent(id="pi_2")))["payments"])
    server.on(CHARGES, listed(charge()), listed(charge(id="ch_2", payment_intent="pi_2")))
    assert {one.id for one in stripe.read_obligation("in_1").charges} == {"ch_1", "ch_2"}


def test_the_intents_own_error_completes_the_decline_of_its_charge_only(server: Stub, stripe: StripeGateway) -> None:
    told = {"code": "card_declined", "decline_code": "fraudulent", "charge": "ch_2"}
    server.on(INVOICE, invoice(intents=(intent(latest_charge="ch_2", last_payment_error=told),)))
    server.on(CHARGES, listed(charge(id="ch_2", created=CREATED + 9), charge()))
    first, second = stripe.read_obligation("in_1").charges
    assert first.signals is not None
    assert second.signals is not None
    assert (first.signals.decline_code, second.signals.decline_code) == ("insufficient_funds", "fraudulent")


def test_a_gateways_own_retry_and_a_dead_subscription_are_seen(server: Stub, stripe: StripeGateway) -> None:
    server.on(INVOICE, invoice(next_payment_attempt=CREATED + 86400))
    server.on(SUBSCRIPTION, {"id": "sub_1", "object": "subscription", "status": "canceled"})
    found = stripe.read_obligation("in_1")
    assert found.gateway_retry_at == datetime(2026, 10, 6, 9, 30, tzinfo=UTC)
    assert not found.subscription_live


def test_a_paid_invoice_says_when_and_whether_the_money_came_through_stripe(
    server: Stub, stripe: StripeGateway
) -> None:
    server.on(INVOICE, paid_invoice(), paid_invoice(), legacy(status="paid") | {"paid_out_of_band": True})
    server.on(CHARGES, listed(won()), listed(charge()))
    server.on(EVENTS, listed())
    through, elsewhere, said = (stripe.read_obligation("in_1") for _ in range(3))
    assert through.status is ObligationStatus.PAID
    assert through.paid_at == datetime.fromtimestamp(CREATED + 1, tz=UTC)
    assert not through.paid_out_of_band
    assert elsewhere.paid_out_of_band
    assert said.paid_out_of_band


@pytest.mark.parametrize(
    ("request_made", "initiator", "key"),
    [
        ({"id": "req_1", "idempotency_key": "case_in_1-1"}, Initiator.CUSTOMER, "case_in_1-1"),
        ({"id": "req_1", "idempotency_key": None}, Initiator.CUSTOMER, None),
        ({"id": None, "idempotency_key": None}, Initiator.GATEWAY, None),
    ],
)
def test_a_paid_invoice_says_who_paid(
    server: Stub, stripe: StripeGateway, request_made: dict[str, str | None], initiator: Initiator, key: str | None
) -> None:
    server.on(INVOICE, paid_invoice())
    server.on(CHARGES, listed(won()))
    other = {"id": "evt_0", "type": "charge.succeeded", "data": {"object": {"id": "ch_other"}}, "request": None}
    event = {"id": "evt_1", "type": "charge.succeeded", "data": {"object": won()}, "request": request_made}
    server.on(EVENTS, listed(other, event))
    (paid,) = stripe.read_obligation("in_1").succeeded
    assert (paid.initiator, paid.idempotency_key) == (initiator, key)


@pytest.mark.parametrize(
    ("subscription", "customer", "expected"),
    [
        ({"default_payment_method": method("pm_s")}, {"default_payment_method": method("pm_c")}, "pm_s"),
        (
            {"default_source": {**charge()["payment_method_details"]["card"], "id": "card_s", "object": "card"}},
            {},
            "card_s",
        ),
        ({}, {"default_payment_method": method("pm_c")}, "pm_c"),
        ({}, {"default_payment_method": "pm_c"}, "pm_c"),
        ({"default_payment_method": {"id": "pm_d", "object": "payment_method", "type": "sepa_debit"}}, {}, None),
        ({}, {"default_payment_method": "pm_gone"}, None),
        ({}, {}, None),
    ],
)
def test_the_card_follows_the_order_of_defaults(
    server: Stub, stripe: StripeGateway, subscription: dict[str, Any], customer: dict[str, Any], expected: str | None
) -> None:
    expanded = {"id": "cus_1", "object": "customer", "default_source": None, "invoice_settings": customer}
    server.on(INVOICE, invoice(customer=expanded))
    server.on(CUSTOMER, expanded)
    server.on(SUBSCRIPTION, {"id": "sub_1", "object": "subscription", "status": "active", **subscription})
    server.on("GET /v1/payment_methods/pm_c", method("pm_c"))
    found = stripe.read_obligation("in_1")
    card = stripe.read_wallet(found).default
    assert (card.payment_method if card else None) == expected
    assert found.card == card
    assert found.customer == "cus_1"
    debit = "default_payment_method" in subscription and expected is None
    assert found.pays_by_card is not debit


def test_without_a_default_the_last_payments_kind_decides(server: Stub, stripe: StripeGateway) -> None:
    server.on(INVOICE, invoice())
    debit = {"type": "sepa_debit", "sepa_debit": {"fingerprint": "x"}}
    server.on(CHARGES, listed(charge(payment_method_details=debit)))
    assert not stripe.read_obligation("in_1").pays_by_card


@pytest.mark.parametrize(
    "odd",
    [
        {"customer": None},
        {"amount_remaining": None},
        {"payments": None},
        {"payments": "none"},
        {"payments": {"data": [None, {"payment": None}, {"payment": {"payment_intent": None}}]}},
        {"parent": None, "billing_reason": None, "created": None, "status_transitions": None},
        {"parent": {"subscription_details": "odd"}, "collection_method": 7, "next_payment_attempt": "soon"},
        {"created": 10**18, "payment_settings": {"payment_method_types": []}},
    ],
)
def test_missing_and_odd_fields_of_an_invoice_are_tolerated(
    server: Stub, stripe: StripeGateway, odd: dict[str, Any]
) -> None:
    server.on(INVOICE, invoice(**odd))
    found = stripe.read_obligation("in_1")
    assert found.remaining == Money(minor=4900, currency="usd")
    assert found.status is ObligationStatus.OPEN


@pytest.mark.parametrize("odd", [{"currency": None}, {"status": "melted"}, {"id": None}])
def test_an_invoice_without_meaning_is_refused_not_a_crash(
    server: Stub, stripe: StripeGateway, odd: dict[str, Any]
) -> None:
    server.on(INVOICE, invoice(**odd))
    with pytest.raises(GatewayRefused):
        stripe.read_obligation("in_1")


@pytest.mark.parametrize(
    ("reply", "raised"),
    [
        (error(401, "invalid_request_error"), GatewayMisconfigured),
        (error(403, "invalid_request_error"), GatewayMisconfigured),
        (error(404, "invalid_request_error", code="resource_missing"), NotFound),
        (error(429, "invalid_request_error"), GatewayUnavailable),
        (error(503), GatewayUnavailable),
        (error(400, "invalid_request_error"), GatewayRefused),
        (error(409, "invalid_request_error", code="lock_timeout"), GatewayUnavailable),
        (Reply(body=b"<html>"), GatewayUnavailable),
        (Reply(body=b"[1]"), GatewayUnavailable),
        (Reply(reset=True), GatewayUnavailable),
    ],
)
def test_reads_raise_the_ports_errors_only(
    server: Stub, stripe: StripeGateway, reply: Reply, raised: type[Exception]
) -> None:
    server.on(INVOICE, reply)
    with pytest.raises(raised) as caught:
        stripe.read_obligation("in_1")
    assert "no one reads this" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_reads_are_repeated_while_it_may_help(server: Stub, stripe: StripeGateway) -> None:
    server.on(INVOICE, error(503), Reply(reset=True), invoice())
    assert stripe.read_obligation("in_1").id == "in_1"
    server.on("GET /v1/invoices/in_2", error(404, "invalid_request_error", code="resource_missing"))
    with pytest.raises(NotFound):
        stripe.read_obligation("in_2")
    assert len(server.lines("GET /v1/invoices/in_2")) == 1


def test_a_read_of_many_calls_keeps_one_bound(server: Stub) -> None:
    limits = Limits(connect_seconds=0.3, read_seconds=0.4, bound_seconds=0.6, least_try_seconds=0.1)
    server.on(INVOICE, Reply(body=invoice(), pause_seconds=0.3))
    server.on(CHARGES, Reply(body=listed(charge()), pause_seconds=2.0))
    with gateway(server.url, limits=limits) as stripe, pytest.raises(GatewayUnavailable):
        stripe.read_obligation("in_1")
    assert len(server.lines(CHARGES)) == 1


@pytest.mark.parametrize(
    ("outcome", "reached"),
    [
        ({"type": "issuer_declined", "network_status": "declined_by_network"}, True),
        ({"type": "blocked", "network_status": "not_sent_to_network"}, False),
        ({"type": "blocked", "network_status": "reversed_after_approval"}, True),
        ({"type": "blocked"}, False),
        ({"type": "invalid"}, False),
        ({}, True),
        (None, True),
        ("odd", True),
    ],
)
def test_only_the_outcome_itself_can_say_that_the_network_saw_nothing(outcome: object, reached: bool) -> None:
    assert signals_of(charge(outcome=outcome)).reached_network is reached


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": "succeeded"}, ChargeStatus.SUCCEEDED),
        ({"status": "pending"}, ChargeStatus.PENDING),
        ({"status": None, "paid": True}, ChargeStatus.SUCCEEDED),
        ({"status": None, "paid": False}, ChargeStatus.FAILED),
        ({"status": "odd"}, ChargeStatus.PENDING),
        ({"currency": "odd!", "created": None, "amount": None}, ChargeStatus.FAILED),
    ],
)
def test_charges_of_any_age_have_a_status(fields: dict[str, Any], status: ChargeStatus) -> None:
    found = charge_of(charge(**fields), currency="usd", created_at=STARTED_AT)
    assert found.status is status
    assert found.amount.currency == "usd"
    assert (found.signals is not None) is (status is ChargeStatus.FAILED)


def test_wallets_links_and_old_sources_are_told_apart() -> None:
    wallet = charge()
    wallet["payment_method_details"]["card"]["wallet"] = {"type": "apple_pay", "dynamic_last4": "1111"}
    found = card_of_charge(wallet)
    assert found is not None
    assert found.last4 == "4242"
    assert card_of_charge(charge(payment_method_details={"type": "link", "link": {"country": "US"}})) is None
    assert card_of_method({"id": "pm_1", "object": "payment_method", "type": "link", "link": {"email": "x"}}) is None
    old = card_of_method(
        {"id": "card_1", "object": "card", "brand": "American Express", "last4": "0005", "exp_year": "x"}
    )
    assert old is not None
    assert (old.brand, old.last4, old.exp_year) == ("amex", "0005", None)
    assert card_of_method(None) is None
    assert card_of_method({"type": "card"}) is None


def test_a_decline_without_any_code_is_still_a_decline() -> None:
    answer = refused(signals_of(None), None)
    assert answer.signals.brief() == "no code given"
