"""The gateway against the sandbox over HTTP: attempts, settling and lists, judged by the sandbox's own ledger."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from stripe_stub import gateway

from recovery.cases.answers import (
    AlreadySettled,
    Answer,
    Declined,
    Misconfigured,
    NeedsCustomer,
    NotSent,
    Processing,
    Succeeded,
    Unknown,
)
from recovery.cases.obligation import ObligationStatus
from recovery.gateways.port import ChargeOrder, GatewayMisconfigured, NotFound
from recovery.gateways.stripe import KINDS, Limits, StripeGateway
from recovery.money import Money
from recovery.simulation.sandbox import PayFault, Sandbox, SandboxOptions, serve_sandbox

LIMITS = Limits(connect_seconds=1, read_seconds=0.4, bound_seconds=8, least_try_seconds=0.1)
AFTER_FIRST_FAILURE = ("insufficient_funds",)


@dataclass
class Clock:
    """Business time that a test moves."""

    at: datetime = datetime(2026, 10, 5, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@dataclass
class World:
    """One sandbox with a gateway on it."""

    clock: Clock
    sandbox: Sandbox
    stripe: StripeGateway
    url: str

    def invoice(self, *answers: str) -> str:
        """A failed invoice whose card answers so from the next attempt on."""
        return self.sandbox.make_failed_invoice(behaviour=(*AFTER_FIRST_FAILURE, *answers))

    def order(self, invoice: str, key: str = "attempt-1", method: str | None = None) -> ChargeOrder:
        """The order of one attempt, an hour after whatever happened before."""
        self.clock.at += timedelta(hours=1)
        obligation = self.stripe.read_obligation(invoice)
        assert obligation.card is not None
        return ChargeOrder(
            key=key,
            obligation=invoice,
            payment_method=method or obligation.card.payment_method,
            amount=obligation.remaining,
            started_at=self.clock.at,
        )


both = pytest.mark.parametrize("world", ["basil", "legacy"], indirect=True)
"""For what depends on the shape of the answers; everything else is told once, in the new one."""


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    clock = Clock()
    sandbox = Sandbox(now=clock, options=SandboxOptions(shape=getattr(request, "param", "basil")))
    with serve_sandbox(sandbox) as url, gateway(url, limits=LIMITS, key=sandbox.secret_key) as stripe:
        yield World(clock, sandbox, stripe, url)


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
    assert world.stripe.read_card(found) == found.card
    assert world.stripe.obligations_of_customer(found.customer) == (found.id,)
    assert world.stripe.obligation_of(charge=failure.id) == found.id


@both
def test_an_approved_attempt_succeeds_once(world: World) -> None:
    invoice = world.invoice("approve")
    order = world.order(invoice)
    answer = world.stripe.charge(order)
    assert isinstance(answer, Succeeded)
    assert answer.charge.amount == order.amount
    assert world.stripe.charge(order) == answer  # the same key is the same attempt
    assert isinstance(world.stripe.charge(replace(order, key="attempt-2")), AlreadySettled)
    assert world.sandbox.ledger.totals()["usd"]["charges"] == 1
    settled = world.stripe.settle(order)
    assert isinstance(settled, Succeeded)
    assert settled.charge.id == answer.charge.id


@both
@pytest.mark.parametrize("code", ["do_not_honor", "expired_card"])
def test_a_decline_and_its_settling_tell_the_same_signals(world: World, code: str) -> None:
    order = world.order(world.invoice(code))
    answer = world.stripe.charge(order)
    assert isinstance(answer, Declined)
    assert answer.signals.decline_code == code
    assert answer.signals.reached_network
    assert world.stripe.settle(order) == answer


def test_a_try_that_the_gateway_blocks_never_reached_the_network(world: World) -> None:
    invoice = world.invoice("lost_card", "approve")
    world.stripe.charge(world.order(invoice))
    order = world.order(invoice, key="attempt-2")
    answer = world.stripe.charge(order)
    assert isinstance(answer, Declined)
    assert not answer.signals.reached_network
    assert answer.signals.outcome_reason == "previously_declined_do_not_retry"
    assert world.stripe.settle(order) == answer


def test_a_demand_for_authentication_needs_the_customer(world: World) -> None:
    order = world.order(world.invoice("authentication_required"))
    answer = world.stripe.charge(order)
    assert isinstance(answer, NeedsCustomer)
    assert world.stripe.settle(order) == answer


@both
def test_a_processing_payment_stays_open_and_ends_as_ours(world: World) -> None:
    order = world.order(world.invoice("processing"))
    answer = world.stripe.charge(order)
    assert isinstance(answer, Processing)
    assert world.stripe.settle(order) == answer
    world.clock.at += timedelta(days=1)
    world.sandbox.play(world.clock.at)
    settled = world.stripe.settle(order)
    assert isinstance(settled, Succeeded)
    assert settled.charge.id == answer.charge_id


@pytest.mark.parametrize("kind", ["charge_then_hang", "charge_then_500", "reset_after"])
def test_a_charge_behind_a_lost_answer_is_found_and_never_made_twice(world: World, kind: str) -> None:
    invoice = world.invoice("approve")
    order = world.order(invoice)
    world.sandbox.faults.queue([PayFault(kind=kind, seconds=0.8)])  # type: ignore[arg-type]
    answer = world.stripe.charge(order)
    assert isinstance(answer, Succeeded | Unknown)
    settled = world.stripe.settle(order)
    assert isinstance(settled, Succeeded)
    assert world.sandbox.ledger.charged_twice() == []
    assert [entry.charge for entry in world.sandbox.ledger.succeeded()] == [settled.charge.id]


@pytest.mark.parametrize("kind", ["server_error"])
def test_a_failure_without_a_charge_leaves_no_trace(world: World, kind: str) -> None:
    order = world.order(world.invoice("approve"))
    world.sandbox.faults.queue([PayFault(kind=kind)])  # type: ignore[arg-type]
    assert isinstance(world.stripe.charge(order), Unknown)
    assert world.stripe.settle(order) is None
    assert list(world.sandbox.ledger.succeeded()) == []


@pytest.mark.parametrize("kind", ["reset_before", "conflict"])
def test_a_passing_fault_before_the_charge_is_repeated(world: World, kind: str) -> None:
    order = world.order(world.invoice("approve"))
    world.sandbox.faults.queue([PayFault(kind=kind)])  # type: ignore[arg-type]
    assert isinstance(world.stripe.charge(order), Succeeded)
    assert world.sandbox.ledger.totals()["usd"]["charges"] == 1


@pytest.mark.parametrize(
    ("kind", "expected"), [("rate_limited", NotSent), ("unauthorized", Misconfigured), ("forbidden", Misconfigured)]
)
def test_a_refusal_at_the_door_charged_nothing(world: World, kind: str, expected: type[Answer]) -> None:
    order = world.order(world.invoice("approve"))
    world.sandbox.faults.queue([PayFault(kind=kind)])  # type: ignore[arg-type]
    assert isinstance(world.stripe.charge(order), expected)
    assert world.stripe.settle(order) is None
    assert list(world.sandbox.ledger.succeeded()) == []


def test_a_late_charge_is_unknown_until_it_landed(world: World) -> None:
    order = world.order(world.invoice("approve"))
    world.sandbox.faults.queue([PayFault(kind="late_charge", seconds=2.0)])
    assert isinstance(world.stripe.charge(order), Unknown)
    for _ in range(200):
        settled = world.stripe.settle(order)
        if settled is not None:
            break
        time.sleep(0.05)
    assert isinstance(settled, Succeeded)
    assert world.sandbox.ledger.charged_twice() == []


@both
def test_what_others_paid_is_not_taken_for_ours(world: World) -> None:
    by_customer, by_gateway, voided = (world.invoice("approve") for _ in range(3))
    orders = [world.order(invoice, key=f"attempt-{invoice}") for invoice in (by_customer, by_gateway, voided)]
    world.sandbox.customer_pays(by_customer)
    world.sandbox.gateway_attempt(by_gateway)
    world.sandbox.void(voided)
    for order in orders:
        assert isinstance(world.stripe.settle(order), AlreadySettled)
        assert isinstance(world.stripe.charge(order), AlreadySettled)
    assert world.sandbox.ledger.charged_twice() == []


def test_the_gateways_own_failed_retry_is_no_trace_of_ours(world: World) -> None:
    invoice = world.invoice("do_not_honor", "do_not_honor")
    order = world.order(invoice)
    world.sandbox.gateway_attempt(invoice)
    assert world.stripe.settle(order) is None


def test_a_method_that_is_gone_is_declined_without_the_network(world: World) -> None:
    invoice = world.invoice("approve")
    order = world.order(invoice)
    answer = world.stripe.charge(replace(order, payment_method="pm_nobody"))
    assert isinstance(answer, Declined)
    assert not answer.signals.reached_network
    world.sandbox.detach_card(order.payment_method)
    answer = world.stripe.charge(replace(order, key="attempt-2"))
    assert isinstance(answer, Declined)
    assert not answer.signals.reached_network


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
    card = world.stripe.read_card(found)
    assert card is not None
    assert card.payment_method == fresh
    world.sandbox.refresh_card(fresh, exp_year=2040)
    refreshed = world.stripe.read_card(found)
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


def test_many_threads_share_one_gateway(world: World) -> None:
    invoices = [world.invoice("approve") for _ in range(40)]
    orders = [world.order(invoice, key=f"attempt-{number}") for number, invoice in enumerate(invoices)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(world.stripe.charge, orders))
    assert all(isinstance(answer, Succeeded) for answer in answers)
    assert world.sandbox.ledger.totals()["usd"]["charges"] == 40
    assert world.sandbox.ledger.charged_twice() == []
