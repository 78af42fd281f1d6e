"""The gateway's reads and lists against the sandbox over HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from stripe_stub import gateway
from stripe_world import AFTER_FIRST_FAILURE, World, both, sandbox_world

from recovery.cases.answers import (
    Misconfigured,
    NotSent,
    Succeeded,
)
from recovery.cases.obligation import ObligationStatus
from recovery.gateways.port import GatewayMisconfigured, NotFound
from recovery.gateways.stripe import KINDS
from recovery.money import Money


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with sandbox_world(request) as made:
        yield made


@both
def test_a_failed_invoice_is_read_with_its_charge_and_card(world: World) -> None:
    found = world.stripe.read_obligation(world.invoice("approve"))
    assert found.status is ObligationStatus.OPEN
    assert found.remaining == Money(minor=4900, currency="usd")
    assert found.subscription_live
    assert found.pays_by_card
    assert found.charge_automatically
    assert found.billing_reason == "subscription_cycle"
    assert found.card is not None
    failure = found.last_failure
    assert failure is not None
    assert failure.signals is not None
    assert failure.signals.decline_code == "insufficient_funds"
    assert failure.signals.network_decline_code == "51"
    assert found.card.same_details(failure.card)
    assert world.stripe.read_wallet(found).default == found.card
    assert world.stripe.obligations_of_customer(found.customer) == (found.id,)
    assert world.stripe.obligation_of(charge=failure.id) == found.id


def test_an_unknown_invoice_is_not_sent_and_not_found(world: World) -> None:
    order = replace(world.order(world.invoice("approve")), obligation="in_nobody")
    assert isinstance(world.stripe.charge(order), NotSent)
    with pytest.raises(NotFound):
        world.stripe.read_obligation("in_nobody")


def test_a_wrong_key_is_misconfigured(world: World) -> None:
    order = world.order(world.invoice("approve"))
    with gateway(world.url) as stranger:
        assert isinstance(stranger.charge(order), Misconfigured)
        with pytest.raises(GatewayMisconfigured):
            stranger.standing()
    assert world.stripe.standing().account.startswith("acct_")
    assert not world.stripe.standing().livemode


def test_the_customers_new_card_is_the_one_to_use(world: World) -> None:
    invoice = world.invoice("approve")
    found = world.stripe.read_obligation(invoice)
    fresh = world.sandbox.make_card(found.customer, "pm_card_visa")
    card = world.stripe.read_wallet(found).default
    assert card is not None
    assert card.payment_method == fresh
    world.sandbox.refresh_card(fresh, exp_year=2040)
    refreshed = world.stripe.read_wallet(found).default
    assert refreshed is not None
    assert refreshed.exp_year == 2040
    assert not refreshed.same_details(card)


@both
def test_debits_and_dead_subscriptions_and_the_gateways_retries_show(world: World) -> None:
    customer = world.sandbox.make_customer()
    world.sandbox.make_debit(customer)
    subscription = world.sandbox.make_subscription(customer)
    invoice = world.sandbox.make_failed_invoice(customer, subscription=subscription)
    found = world.stripe.read_obligation(invoice)
    assert not found.pays_by_card
    assert found.card is None
    world.sandbox.cancel_subscription(subscription)
    assert not world.stripe.read_obligation(invoice).subscription_live


@both
def test_reversals_are_mapped_to_their_invoice(world: World) -> None:
    invoice = world.invoice("approve")
    answer = world.stripe.charge(world.order(invoice))
    assert isinstance(answer, Succeeded)
    assert world.stripe.read_reversals(answer.charge.id) == ((), ())
    world.sandbox.refund(invoice, amount_minor=900)
    dispute = world.sandbox.dispute(invoice)
    refunds, disputes = world.stripe.read_reversals(answer.charge.id)
    assert [(one.obligation, one.amount.minor, one.status) for one in refunds] == [(invoice, 900, "succeeded")]
    assert [(one.id, one.obligation, one.charge_id) for one in disputes] == [(dispute, invoice, answer.charge.id)]
    with pytest.raises(NotFound):
        world.stripe.read_reversals("ch_nobody")


@pytest.mark.parametrize(("taken", "status"), [(True, "lost"), (False, "won")])
def test_a_prevented_dispute_is_over_and_its_lines_say_how(world: World, taken: bool, status: str) -> None:
    invoice = world.invoice("approve")
    answer = world.stripe.charge(world.order(invoice))
    assert isinstance(answer, Succeeded)
    dispute = world.sandbox.prevent_dispute(invoice, taken=taken)
    _, (found,) = world.stripe.read_reversals(answer.charge.id)
    assert (found.id, found.status) == (dispute, status)
    listed = world.stripe.reversals_between(world.clock.at - timedelta(days=1), world.clock.at + timedelta(days=1))
    assert [(one.id, one.status) for one in listed] == [(dispute, status)]


def test_the_contact_is_read_and_does_not_print(world: World) -> None:
    customer = world.sandbox.make_customer(email="me@example.com", name="Me", locales=("de-DE", "en"))
    world.sandbox.make_card(customer, AFTER_FIRST_FAILURE)
    contact = world.stripe.read_contact(world.sandbox.make_failed_invoice(customer))
    assert (contact.email, contact.name, contact.locale) == ("me@example.com", "Me", "de-DE")
    assert contact.hosted_url
    assert "example" not in repr(contact)


def test_open_invoices_come_oldest_first(world: World) -> None:
    customer = world.sandbox.make_customer()
    world.sandbox.make_card(customer, AFTER_FIRST_FAILURE)
    made = []
    for _ in range(3):
        made.append(world.sandbox.make_failed_invoice(customer))
        world.clock.at += timedelta(days=1)
    world.sandbox.void(made[1])
    assert world.stripe.obligations_of_customer(customer) == (made[0], made[2])


@both
def test_the_list_of_events_is_told_oldest_first_over_days_and_pages(world: World) -> None:
    since = world.clock.at
    invoices = []
    for number in range(4):
        invoices.append(world.invoice(*["do_not_honor"] * 40))
        for _ in range(12 if number == 1 else 1):
            world.sandbox.gateway_attempt(invoices[-1])
        world.clock.at += timedelta(days=1, minutes=7)
    notices = list(world.stripe.notices_since(since))
    assert [one.created_at for one in notices] == sorted(one.created_at for one in notices)
    assert len({one.id for one in notices}) == len(notices)
    assert {one.kind for one in notices} <= KINDS
    failed = [one for one in notices if one.kind == "invoice.payment_failed"]
    assert len(failed) == 4 + 12 + 3
    assert {one.content["invoice"] for one in failed} == set(invoices)
    assert list(world.stripe.notices_since(world.clock.at + timedelta(days=1))) == []
    intents = [one.object_id for one in notices if one.kind == "payment_intent.payment_failed"]
    assert world.stripe.obligation_of(payment_intent=intents[0]) == invoices[0]
    assert world.stripe.obligation_of(payment_intent="pi_nobody") is None
