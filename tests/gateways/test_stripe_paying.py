"""One attempt against a scripted server: each answer and each fault of the network means exactly one thing."""

import json
import time
from typing import Any

import pytest
from stripe_stub import (
    CHARGE,
    CREATED,
    INVOICE,
    ORDER,
    PAY,
    Reply,
    charge,
    error,
    gateway,
    intent,
    invoice,
    paid_invoice,
    stub,
    won,
)

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
from recovery.declines.signals import Signals
from recovery.gateways.stripe import Limits
from recovery.money import Money

PAID = Reply(body=paid_invoice())
HANG = Reply(pause_seconds=1.0)
RESET = Reply(reset=True)
FAILED = error(500, headers={"Stripe-Should-Retry": "true"})
IN_USE = error(409, "idempotency_error", code="idempotency_key_in_use")
LIMITED = error(429, "invalid_request_error", code="rate_limit")
LOCKED = error(429, "invalid_request_error", code="lock_timeout")
WRONG_KEY = error(401, "invalid_request_error")
NO_RIGHT = error(403, "invalid_request_error")
GONE = error(404, "invalid_request_error", code="resource_missing", param="id")
REFUSED = error(400, "invalid_request_error", message="Invoice is already paid")
METHOD = error(400, "invalid_request_error", code="resource_missing", param="payment_method")
OTHER_PARAMS = error(400, "idempotency_error")


def attempt(*replies: Reply, **reads: Reply) -> tuple[Answer, list[str | None]]:
    """The answer of one attempt and the keys it was made under."""
    with stub() as server, gateway(server.url) as stripe:
        server.on(PAY, *replies)
        server.on(CHARGE, reads.get("charge", Reply(body=charge())))
        server.on(INVOICE, reads.get("invoice", Reply(body=invoice())))
        answer = stripe.charge(ORDER)
        return answer, [asked.key for asked in server.lines(PAY)]


def test_a_paid_invoice_is_a_success_with_its_charge() -> None:
    answer, keys = attempt(PAID, charge=Reply(body=won()))
    assert isinstance(answer, Succeeded)
    assert answer.charge.id == "ch_1"
    assert answer.charge.amount == Money(minor=4900, currency="usd")
    assert answer.charge.card is not None
    assert answer.charge.card.brief() == "visa debit ••4242 US"
    assert keys == ["attempt-1"]


def test_the_call_pays_the_same_invoice_off_session_with_the_explicit_method() -> None:
    with stub() as server, gateway(server.url) as stripe:
        server.on(PAY, PAID)
        server.on(CHARGE, won())
        stripe.charge(ORDER)
        asked = server.lines(PAY)[0].params
    assert asked["payment_method"] == "pm_1"
    assert asked["off_session"] in ("true", "True")
    assert not [line for line in server.asked if line.line.startswith("POST") and line.line != PAY]


@pytest.mark.parametrize("doubt", [HANG, RESET, FAILED, IN_USE, Reply(status=502, body=b"<html>bad gateway</html>")])
def test_a_doubtful_try_is_repeated_under_the_same_key(doubt: Reply) -> None:
    answer, keys = attempt(doubt, PAID, charge=Reply(body=won()))
    assert isinstance(answer, Succeeded)
    assert keys == ["attempt-1", "attempt-1"]


@pytest.mark.parametrize("doubt", [HANG, RESET, FAILED, IN_USE])
def test_doubt_that_does_not_end_is_unknown_after_three_tries(doubt: Reply) -> None:
    answer, keys = attempt(doubt)
    assert isinstance(answer, Unknown)
    assert keys == ["attempt-1"] * 3


def test_a_replayed_failure_is_unknown_and_not_asked_again() -> None:
    answer, keys = attempt(error(500, headers={"Idempotent-Replayed": "true"}))
    assert isinstance(answer, Unknown)
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [(LIMITED, NotSent), (LOCKED, NotSent), (GONE, NotSent), (WRONG_KEY, Misconfigured), (NO_RIGHT, Misconfigured)],
)
def test_a_refusal_proves_something_only_while_no_earlier_try_is_in_doubt(refusal: Reply, kind: type) -> None:
    assert isinstance(attempt(refusal)[0], kind)
    for doubt in (HANG, RESET, FAILED, IN_USE):
        assert isinstance(attempt(doubt, refusal)[0], Unknown)


def test_a_lock_timeout_under_409_is_not_sent_either() -> None:
    answer, keys = attempt(error(409, "invalid_request_error", code="lock_timeout"))
    assert isinstance(answer, NotSent)
    assert len(keys) == 1  # repeating could replay the saved lock for a day


def test_a_decline_carries_all_signals_and_its_charge() -> None:
    refusal = error(402, "card_error", code="card_declined", decline_code="insufficient_funds", charge="ch_1")
    answer, _ = attempt(refusal)
    assert isinstance(answer, Declined)
    assert answer.charge_id == "ch_1"
    assert answer.signals.error_code == "card_declined"
    assert answer.signals.decline_code == "insufficient_funds"
    assert answer.signals.advice_code == "try_again_later"
    assert answer.signals.network_decline_code == "51"
    assert answer.signals.network_advice_code == "02"
    assert answer.signals.reached_network


def test_a_decline_that_names_no_charge_is_completed_from_the_invoice() -> None:
    answer, _ = attempt(error(402, "card_error", code="card_declined", decline_code="insufficient_funds"))
    assert isinstance(answer, Declined)
    assert answer.charge_id == "ch_1"
    assert answer.signals.network_decline_code == "51"


def test_another_cards_charge_is_not_taken_for_this_decline() -> None:
    refusal = error(402, "card_error", code="card_declined", decline_code="insufficient_funds")
    answer, _ = attempt(refusal, charge=Reply(body=charge(payment_method="pm_other")))
    assert isinstance(answer, Declined)
    assert answer.charge_id is None
    assert answer.signals.network_decline_code is None


def test_what_the_gateway_blocked_never_reached_the_network() -> None:
    outcome = {"type": "blocked", "network_status": "not_sent_to_network", "reason": "previously_declined_do_not_retry"}
    refusal = error(402, "card_error", code="card_declined", decline_code="generic_decline", charge="ch_1")
    answer, _ = attempt(refusal, charge=Reply(body=charge(outcome=outcome)))
    assert isinstance(answer, Declined)
    assert not answer.signals.reached_network
    assert answer.signals.decline_code == "generic_decline"
    assert answer.signals.outcome_reason == "previously_declined_do_not_retry"


def test_a_decline_whose_charge_cannot_be_read_counts_as_having_reached_the_network() -> None:
    refusal = error(402, "card_error", code="card_declined", decline_code="do_not_honor", charge="ch_1")
    answer, _ = attempt(refusal, charge=error(500))
    assert isinstance(answer, Declined)
    assert answer.signals.decline_code == "do_not_honor"
    assert answer.signals.reached_network


def test_a_decline_after_a_timeout_is_that_attempts_own_decline() -> None:
    refusal = error(402, "card_error", code="card_declined", decline_code="do_not_honor", charge="ch_1")
    assert isinstance(attempt(HANG, refusal)[0], Declined)


@pytest.mark.parametrize(
    "refusal",
    [
        error(402, "card_error", code="authentication_required", decline_code="authentication_required", charge="ch_1"),
        error(402, "card_error", code="card_declined", decline_code="authentication_required", charge="ch_1"),
        error(400, "invalid_request_error", code="invoice_payment_intent_requires_action"),
    ],
)
def test_a_wish_for_authentication_needs_the_customer(refusal: Reply) -> None:
    assert isinstance(attempt(refusal)[0], NeedsCustomer)


@pytest.mark.parametrize(
    ("state", "kind"), [("processing", Processing), ("requires_action", NeedsCustomer), ("canceled", Unknown)]
)
def test_an_accepted_call_with_an_open_invoice_is_judged_by_its_intent(state: str, kind: type) -> None:
    answer, _ = attempt(Reply(body=invoice(intents=(intent(status=state),))))
    assert isinstance(answer, kind)


def test_an_accepted_call_whose_intent_failed_is_a_decline() -> None:
    failed = intent(last_payment_error={"code": "card_declined", "decline_code": "lost_card", "charge": "ch_1"})
    answer, _ = attempt(Reply(body=invoice(intents=(failed,))))
    assert isinstance(answer, Declined)
    assert answer.signals.decline_code == "lost_card"


@pytest.mark.parametrize("status", ["paid", "void", "uncollectible"])
def test_a_refused_call_on_a_settled_invoice_is_already_settled(status: str) -> None:
    answer, _ = attempt(REFUSED, invoice=Reply(body=invoice(status=status)))
    assert isinstance(answer, AlreadySettled)
    assert status in answer.detail


def test_a_refused_call_is_unknown_when_the_invoice_is_open_or_unreadable_or_a_try_was_in_doubt() -> None:
    settled = Reply(body=invoice(status="paid"))
    assert isinstance(attempt(REFUSED)[0], Unknown)
    assert isinstance(attempt(REFUSED, invoice=error(500))[0], Unknown)
    assert isinstance(attempt(HANG, REFUSED, invoice=settled)[0], Unknown)


def test_a_payment_method_that_may_not_be_used_is_a_decline_that_the_network_never_saw() -> None:
    answer, _ = attempt(METHOD)
    assert isinstance(answer, Declined)
    assert answer.signals.error_code == "resource_missing"
    assert not answer.signals.reached_network
    assert isinstance(attempt(METHOD, invoice=Reply(body=invoice(status="void")))[0], AlreadySettled)


def test_a_key_first_used_with_other_parameters_is_unknown() -> None:
    assert isinstance(attempt(OTHER_PARAMS)[0], Unknown)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'"paid"', b"{", b'{"object":"list","data":3}', b'{"id":"in_1"}']
)
def test_an_unreadable_success_is_unknown(body: bytes) -> None:
    assert isinstance(attempt(Reply(body=body))[0], Unknown)


def test_a_success_whose_charge_cannot_be_read_is_still_a_success() -> None:
    answer, _ = attempt(PAID, charge=error(500))
    assert isinstance(answer, Succeeded)
    assert answer.charge.id == "ch_1"
    assert answer.charge.amount.minor == 4900


def test_an_invoice_paid_from_the_customers_balance_made_no_charge() -> None:
    answer, _ = attempt(
        Reply(body=invoice(intents=(), status="paid")), invoice=Reply(body=invoice(intents=(), status="paid"))
    )
    assert isinstance(answer, AlreadySettled)


def test_a_refused_connection_was_never_sent() -> None:
    with stub() as server:
        url = server.url
    with gateway(url) as stripe:
        assert isinstance(stripe.charge(ORDER), NotSent)


def test_the_whole_call_ends_within_its_bound_even_when_the_answer_drips() -> None:
    limits = Limits(connect_seconds=0.5, read_seconds=0.5, bound_seconds=1.0, least_try_seconds=0.3)
    with stub() as server, gateway(server.url, limits=limits, sleep=time.sleep) as stripe:
        server.on(PAY, Reply(body=paid_invoice(), drip_seconds=0.02))
        began = time.monotonic()
        answer = stripe.charge(ORDER)
        took = time.monotonic() - began
    assert isinstance(answer, Unknown)
    assert took < 1.3


def test_no_try_is_begun_that_cannot_end_within_the_bound() -> None:
    limits = Limits(connect_seconds=0.2, read_seconds=0.3, bound_seconds=1.0, least_try_seconds=0.6)
    with stub() as server, gateway(server.url, limits=limits) as stripe:
        server.on(PAY, Reply(pause_seconds=3))
        assert isinstance(stripe.charge(ORDER), Unknown)
        assert len(server.lines(PAY)) == 1


def test_details_never_repeat_the_gateways_message() -> None:
    for reply in (FAILED, LIMITED, WRONG_KEY, OTHER_PARAMS):
        assert "no one reads this" not in json.dumps(str(attempt(reply)[0]))


@pytest.mark.parametrize(
    "named", [{}, {"payment_intent": intent()}], ids=["read from the invoice", "told by its intent"]
)
def test_an_earlier_attempts_charge_tells_nothing_of_this_decline(named: dict[str, Any]) -> None:
    before = Reply(body=charge(created=CREATED - 3600))
    refusal = error(402, "card_error", code="invoice_payment_intent_requires_action", **named)
    answer, _ = attempt(refusal, charge=before)
    assert isinstance(answer, NeedsCustomer)
    assert answer.charge_id is None
    assert (answer.signals.decline_code, answer.signals.network_decline_code) == (None, None)
    waits = intent(status="requires_action", last_payment_error={"code": "card_declined", "charge": "ch_1"})
    answer, _ = attempt(Reply(body=invoice(intents=(waits,))), charge=before)
    assert answer == NeedsCustomer(signals=Signals())
    stale = intent(last_payment_error={"code": "card_declined", "charge": "ch_1"})
    assert isinstance(attempt(Reply(body=invoice(intents=(stale,))), charge=before)[0], Unknown)
