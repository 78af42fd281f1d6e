"""Settling from scripted events and charges: what proves an attempt ours, and what proves it another's."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from stripe_stub import (
    CREATED,
    INVOICE,
    ORDER,
    STARTED_AT,
    Stub,
    charge,
    error,
    gateway,
    intent,
    invoice,
    listed,
    paid_invoice,
    stub,
    won,
)

from recovery.cases.answers import AlreadySettled, Answer, Declined, NeedsCustomer, Processing, Succeeded
from recovery.gateways.port import GatewayUnavailable
from recovery.gateways.stripe import Limits

OURS, OTHERS, NOBODY = "attempt-1", "attempt-0", None


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub() as made:
        made.on("GET /v1/subscriptions/sub_1", {"id": "sub_1", "object": "subscription", "status": "past_due"})
        yield made


def event(
    kind: str, thing: dict[str, Any], key: str | None, *, number: int = 1, at: int = CREATED + 1
) -> dict[str, Any]:
    request = {"id": "req_1" if key else None, "idempotency_key": key}
    return {
        "id": f"evt_{number}",
        "object": "event",
        "type": kind,
        "created": at,
        "data": {"object": thing},
        "request": request,
    }


def settled(
    server: Stub, *events: dict[str, Any], charges: tuple[dict[str, Any], ...] = (), now: dict[str, Any] | None = None
) -> Answer | None:
    server.on(INVOICE, now or invoice())
    server.on("GET /v1/charges", listed(*charges))
    server.on("GET /v1/events", listed(*events))
    with gateway(server.url) as stripe:
        return stripe.settle(ORDER)


def test_no_charge_and_no_event_is_no_trace(server: Stub) -> None:
    assert settled(server) is None
    asked = server.lines("GET /v1/events")[0].params
    assert int(asked["created[gte]"]) == CREATED - 300
    assert int(asked["created[lte]"]) < CREATED + 300, "not what a busy account did since"


def test_who_made_a_charge_is_looked_up_around_it_only(server: Stub) -> None:
    settled(server, event("charge.failed", charge(), OURS), charges=(charge(),))
    (asked,) = server.lines("GET /v1/events")
    assert (int(asked.params["created[gte]"]), int(asked.params["created[lte]"])) == (CREATED - 4, CREATED + 6)
    assert "charge.succeeded" not in asked.params.values()


@pytest.mark.parametrize(("made", "kind"), [((), type(None)), ((charge(),), Declined)], ids=["no charge", "a charge"])
def test_an_account_too_busy_to_read_to_the_end_gets_an_answer(
    server: Stub, made: tuple[dict[str, Any], ...], kind: type
) -> None:
    crowd = [event("charge.failed", charge(id="ch_9"), OTHERS, number=number) for number in range(100)]
    server.on(INVOICE, invoice())
    server.on("GET /v1/charges", listed(*made))
    server.on("GET /v1/events", listed(*crowd, more=True))
    limits = Limits(connect_seconds=1, read_seconds=2, bound_seconds=3, least_try_seconds=0.1)
    with gateway(server.url, limits=limits) as stripe:
        assert isinstance(stripe.settle(ORDER), kind)


@pytest.mark.parametrize(
    ("made", "kind"), [(charge(), Declined), (won(), Succeeded), (charge(status="pending", outcome=None), Processing)]
)
def test_a_charge_with_our_card_after_our_start_is_ours(server: Stub, made: dict[str, Any], kind: type) -> None:
    assert isinstance(settled(server, charges=(made,)), kind)


@pytest.mark.parametrize(
    ("fields", "ours"),
    [
        ({"payment_method": "pm_other"}, False),
        ({"created": CREATED - 5}, True),
        ({"created": CREATED - 6}, False),
        ({"payment_method_details": {"type": "link"}}, True),
    ],
)
def test_another_card_or_an_earlier_charge_is_not(server: Stub, fields: dict[str, Any], ours: bool) -> None:
    assert (settled(server, charges=(charge(**fields),)) is not None) is ours


def test_a_charge_of_our_key_is_ours_whatever_its_card_says(server: Stub) -> None:
    odd = charge(payment_method="pm_other", status="pending", outcome=None)
    assert isinstance(settled(server, event("charge.pending", odd, OURS), charges=(odd,)), Processing)


def test_a_refusal_without_a_charge_takes_no_earlier_attempts(server: Stub) -> None:
    earlier = charge(id="ch_0", created=CREATED - 86400)
    refused = intent(latest_charge="ch_0", last_payment_error={"code": "payment_method_invalid"})
    found = settled(server, event("payment_intent.payment_failed", refused, OURS), charges=(earlier,))
    assert isinstance(found, Declined)
    assert found.charge_id is None


@pytest.mark.parametrize("key", [OTHERS, NOBODY])
def test_a_charge_that_an_event_gives_to_others_is_not_ours(server: Stub, key: str | None) -> None:
    assert settled(server, event("charge.failed", charge(), key), charges=(charge(),)) is None


def test_an_ending_by_itself_does_not_take_a_processing_payment_from_us(server: Stub) -> None:
    ended = event("charge.succeeded", won(), NOBODY, at=CREATED + 3600)
    assert isinstance(settled(server, ended, charges=(won(),), now=paid_invoice()), Succeeded)


def test_our_key_finds_our_charge_among_others_and_as_it_stands_now(server: Stub) -> None:
    theirs = won(id="ch_9") | {"created": CREATED + 9}
    pending = charge(status="pending", outcome=None)
    told = (event("charge.succeeded", theirs, OTHERS), event("charge.pending", pending, OURS, number=2))
    answer = settled(server, *told, charges=(theirs, won()))
    assert isinstance(answer, Succeeded)
    assert answer.charge.id == "ch_1"


def test_the_decline_is_told_as_it_was_then_not_by_a_later_attempts_error(server: Stub) -> None:
    blocked = {"type": "blocked", "network_status": "not_sent_to_network", "reason": "highest_risk_level"}
    mine = charge(outcome=blocked)
    then = intent(last_payment_error={"code": "card_declined", "decline_code": "fraudulent", "charge": "ch_1"})
    told = (event("payment_intent.payment_failed", then, OURS), event("charge.failed", mine, OURS, number=2))
    answer = settled(server, *told, charges=(mine,))
    assert isinstance(answer, Declined)
    assert (answer.signals.decline_code, answer.signals.reached_network) == ("fraudulent", False)


def test_money_that_moved_outweighs_a_failure_of_the_same_key(server: Stub) -> None:
    told = (event("charge.failed", charge(id="ch_0"), OURS), event("charge.succeeded", won(), OURS, number=2))
    assert isinstance(settled(server, *told, charges=(won(),)), Succeeded)


def test_the_invoices_word_counts_where_no_charge_is_told(server: Stub) -> None:
    paid = event("invoice.paid", paid_invoice(), OURS)
    answer = settled(server, paid, charges=(won(),), now=paid_invoice())
    assert isinstance(answer, Succeeded)
    assert isinstance(settled(server, paid, now=paid_invoice()), AlreadySettled)
    action = event("invoice.payment_action_required", invoice(), OURS)
    assert isinstance(settled(server, action), NeedsCustomer)
    failed = intent(latest_charge=None, last_payment_error={"code": "card_declined", "decline_code": "lost_card"})
    answer = settled(server, event("payment_intent.payment_failed", failed, OURS))
    assert isinstance(answer, Declined)
    assert answer.signals.decline_code == "lost_card"
    answer = settled(server, event("invoice.payment_failed", invoice(), OURS), charges=(charge(),))
    assert isinstance(answer, Declined)
    assert answer.charge_id == "ch_1"


@pytest.mark.parametrize("status", ["paid", "void", "uncollectible"])
def test_an_obligation_that_others_settled_is_already_settled(server: Stub, status: str) -> None:
    theirs = won(payment_method="pm_other")
    answer = settled(server, event("charge.succeeded", theirs, OTHERS), charges=(theirs,), now=invoice(status=status))
    assert isinstance(answer, AlreadySettled)


def test_what_cannot_be_read_is_not_guessed(server: Stub) -> None:
    server.on(INVOICE, invoice())
    server.on("GET /v1/charges", listed())
    server.on("GET /v1/events", error(500))
    with gateway(server.url) as stripe, pytest.raises(GatewayUnavailable):
        stripe.settle(ORDER)


def test_the_list_of_events_keeps_its_order_within_one_second_and_asks_for_longer_where_little_happened(
    server: Stub,
) -> None:
    told = [event("invoice.updated", invoice(), OURS, number=number) for number in (3, 2, 1)]
    server.on("GET /v1/events", listed(*told))
    with gateway(server.url) as stripe:
        since = STARTED_AT - timedelta(days=2)
        ids = [notice.id for notice in stripe.notices_since(since)]
    assert ids[:3] == ["evt_1", "evt_2", "evt_3"]
    spans = {
        (int(one.params["created[gte]"]), int(one.params["created[lt]"]))
        for one in server.lines("GET /v1/events")
        if "created[lt]" in one.params
    }
    begins = CREATED - 2 * 86400
    edges = [begins + hours * 3600 for hours in (0, 1, 3, 7, 15, 31, 55)]
    assert spans == set(pairwise(edges)), "the event of the last second is within the last stretch"


def test_the_list_of_events_is_asked_for_less_where_much_happened(
    server: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recovery.gateways.stripe.listing._MANY", 2)
    monkeypatch.setattr("recovery.gateways.stripe.listing._FEW", 1)
    server.on(
        "GET /v1/events", listed(*[event("invoice.updated", invoice(), OURS, number=number) for number in (3, 2, 1)])
    )
    with gateway(server.url) as stripe:
        told = list(stripe.notices_since(STARTED_AT - timedelta(hours=2)))
    lengths = [
        int(one.params["created[lt]"]) - int(one.params["created[gte]"])
        for one in server.lines("GET /v1/events")
        if "created[lt]" in one.params
    ]
    assert lengths[0] == 3600
    assert sorted(set(lengths), reverse=True) == [3600, 900, 225, 60], lengths
    assert len(told) >= 3


def test_an_unreadable_event_ends_the_list_with_the_ports_error(server: Stub) -> None:
    server.on("GET /v1/events", listed({"id": "evt_1", "created": CREATED, "type": "invoice.paid"}))
    with gateway(server.url) as stripe, pytest.raises(GatewayUnavailable):
        list(stripe.notices_since(STARTED_AT))


def test_open_invoices_of_one_second_keep_stripes_order(server: Stub) -> None:
    server.on("GET /v1/invoices", listed(*(invoice(id=f"in_{number}") for number in (3, 2, 1))))
    with gateway(server.url) as stripe:
        assert stripe.obligations_of_customer("cus_1") == ("in_1", "in_2", "in_3")


@pytest.mark.parametrize(
    ("fields", "kind", "told"),
    [({}, Declined, "charge.failed"), ({"status": "pending", "outcome": None}, Processing, "charge.pending")],
)
def test_the_key_decides_though_our_clock_is_ahead_of_stripes(
    server: Stub, fields: dict[str, Any], kind: type[Answer], told: str
) -> None:
    """The charge seems to have been made before the attempt that made it."""
    made = charge(created=CREATED - 240, **fields)
    found = settled(server, event(told, made, OURS, at=CREATED - 239), charges=(made,))
    assert isinstance(found, kind)
