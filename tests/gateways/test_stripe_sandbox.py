"""Attempts and their settling against the sandbox over HTTP, judged by the sandbox's own ledger."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from stripe_world import World, both, sandbox_world

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
from recovery.simulation.sandbox import PayFault


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with sandbox_world(request) as made:
        yield made


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
def test_a_payment_that_waits_for_the_customer_makes_no_charge(world: World) -> None:
    order = world.order(world.invoice("requires_action"))
    before = len(world.sandbox.ledger.entries)
    answer = world.stripe.charge(order)
    assert isinstance(answer, NeedsCustomer)
    assert answer.charge_id is None
    assert answer.signals.decline_code is None, "not that of the renewal's own charge, an hour before"
    settled = world.stripe.settle(order)
    assert isinstance(settled, NeedsCustomer)
    assert settled.charge_id is None
    assert len(world.sandbox.ledger.entries) == before
    assert world.sandbox.customer_pays(order.obligation) is None


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


def test_many_threads_share_one_gateway(world: World) -> None:
    invoices = [world.invoice("approve") for _ in range(40)]
    orders = [world.order(invoice, key=f"attempt-{number}") for number, invoice in enumerate(invoices)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(world.stripe.charge, orders))
    assert all(isinstance(answer, Succeeded) for answer in answers)
    assert world.sandbox.ledger.totals()["usd"]["charges"] == 40
    assert world.sandbox.ledger.charged_twice() == []
