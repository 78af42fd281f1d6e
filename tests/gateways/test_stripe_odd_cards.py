"""Whatever Stripe leaves out or garbles about cards: no worker ends by it, nothing unusable is kept, and the gap is told."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from stripe_stub import CREATED, INVOICE, Stub, charge, gateway, invoice, listed, method, stub

from recovery.cases.wallet import KeptCard
from recovery.charging.lookahead import expires_before
from recovery.declines.signals import Card
from recovery.gateways.port import Renewal
from recovery.gateways.stripe import StripeGateway
from recovery.gateways.stripe.cards import card_of_charge, card_of_method, kept_cards
from recovery.storage import codec

NUMBER = "4242424242424242"
FAR = datetime(2026, 12, 1, tzinfo=UTC)
WALLET = TypeAdapter(tuple[KeptCard, ...])
WORDS = st.sampled_from(
    ["", "visa", "VISA", "unknown", "credit", "us", "US", "x" * 300, "\x00", "\ud800", NUMBER, "123", "ß"]
)
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=8), st.just([]), st.just({})
)
FIELDS = ("brand", "funding", "country", "last4", "exp_month", "exp_year", "fingerprint", "wallet", "networks")
DETAILS = st.dictionaries(st.sampled_from(FIELDS), ANYTHING)
METHOD = st.one_of(
    ANYTHING,
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.one_of(ANYTHING, st.just("pm_1")),
            "object": st.one_of(ANYTHING, st.just("card"), st.just("payment_method")),
            "type": st.one_of(ANYTHING, st.just("card")),
            "card": st.one_of(ANYTHING, DETAILS),
            "created": ANYTHING,
            "metadata": ANYTHING,
        },
    ),
)


def sound(card: Card) -> bool:
    """Whether every field means something or is not there, and no number can hide in any."""
    assert codec.card_from(codec.card_json(card)) == card
    assert card.exp_month is None or 1 <= card.exp_month <= 12
    assert (card.exp_month is None) is (card.exp_year is None)
    assert card.last4 is None or re.fullmatch("[0-9]{4}", card.last4)
    assert card.country is None or re.fullmatch("[A-Z]{2}", card.country)
    assert card.funding in (None, "credit", "debit", "prepaid")
    texts = [card.payment_method, card.brand or "-", card.fingerprint or "-"]
    assert all(text.isascii() and text.isprintable() and len(text) <= 100 for text in texts)
    expires_before(Renewal(subscription="sub_1", customer="cus_1", renews_at=FAR, card=card))
    return card.brief() != ""


@given(METHOD, METHOD, METHOD)
@settings(max_examples=150, deadline=None)
def test_no_description_of_a_card_ends_a_reading(first: Any, second: Any, third: Any) -> None:
    as_read = [one if isinstance(one, dict) else None for one in (first, second, third)]
    kept = kept_cards((as_read[0], as_read[1]), [one for one in as_read[2:] if one], None)
    assert all(sound(each.card) for each in kept)
    assert WALLET.validate_json(WALLET.dump_json(kept)) == kept
    for each in kept:
        gaps = [
            each.card.brand,
            each.card.funding,
            each.card.country,
            each.card.last4,
            each.card.expiry,
            each.card.fingerprint,
        ]
        assert len(each.odd) == sum(gap is None for gap in gaps), "a gap is told"
        assert NUMBER not in " ".join(each.odd)


@given(st.one_of(ANYTHING, DETAILS), METHOD)
@settings(max_examples=60, deadline=None)
def test_no_description_of_a_charged_card_ends_a_reading(details: Any, source: Any) -> None:
    for told in (
        charge(payment_method_details={"type": "card", "card": details}),
        charge(payment_method=None, source=source),
    ):
        card = card_of_charge(told)
        assert card is None or sound(card)


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub() as made:
        made.on(INVOICE, invoice())
        made.on("GET /v1/charges", listed(charge()))
        made.on("GET /v1/subscriptions/sub_1", {"id": "sub_1", "object": "subscription", "status": "active"})
        made.on("GET /v1/payment_methods", listed())
        yield made


@pytest.fixture
def stripe(server: Stub) -> Iterator[StripeGateway]:
    with gateway(server.url) as made:
        yield made


def customer(**fields: Any) -> dict[str, Any]:
    return {"id": "cus_1", "object": "customer", "invoice_settings": {"default_payment_method": method()}, **fields}


GONE = {"default_payment_method": "pm_gone"}


@pytest.mark.parametrize(
    ("told", "odd", "cards"),
    [
        (customer(), (), ["pm_1"]),
        ({"id": "cus_1", "object": "customer", "deleted": True}, ("the customer is deleted",), []),
        (None, ("the customer is gone",), []),
        (customer(invoice_settings=GONE), ("the customer's default payment method is gone",), []),
        (
            customer(
                invoice_settings={"default_payment_method": {"id": "pm_1", "object": "payment_method", "type": "card"}}
            ),
            (),
            ["pm_1"],
        ),
        (
            customer(invoice_settings={"default_payment_method": {"object": "payment_method", "type": "card"}}),
            ("the customer's default payment method has no card",),
            [],
        ),
        (customer(invoice_settings="odd"), (), []),
    ],
)
def test_what_is_odd_about_a_customer_is_told(
    server: Stub, stripe: StripeGateway, told: dict[str, Any] | None, odd: tuple[str, ...], cards: list[str]
) -> None:
    if told is not None:
        server.on("GET /v1/customers/cus_1", told)
    wallet = stripe.read_wallet(stripe.read_obligation("in_1"))
    assert stripe.read_owed("in_1")[1] == wallet
    assert (wallet.odd, [kept.card.payment_method for kept in wallet.cards]) == (odd, cards)


@given(
    method_told=METHOD,
    customer_told=st.one_of(ANYTHING, st.just({"deleted": True}), st.just({"invoice_settings": GONE})),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_answer_about_cards_ends_a_worker(
    server: Stub, stripe: StripeGateway, method_told: Any, customer_told: Any
) -> None:
    as_told = customer_told if isinstance(customer_told, dict) else {"invoice_settings": customer_told}
    server.on("GET /v1/customers/cus_1", {"id": "cus_1", "object": "customer", **as_told})
    server.on("GET /v1/payment_methods", {"object": "list", "data": [method_told, method("pm_2")], "has_more": False})
    wallet = stripe.read_wallet(stripe.read_obligation("in_1"))
    assert all(sound(kept.card) for kept in wallet.cards)


def test_the_fields_of_a_card_are_told_as_missing_or_unusable() -> None:
    (kept,) = kept_cards(
        (None, method(last4=NUMBER, exp_month=13, country=None, funding="gift", brand="unknown")), [], None
    )
    assert kept.odd == ("brand unusable", "funding unusable", "country missing", "last4 unusable", "expiry unusable")
    assert kept.card == Card(payment_method="pm_1", fingerprint="fp_1")
    assert card_of_method({"id": "pm_1", "object": "payment_method", "type": "card"}) == Card(payment_method="pm_1")


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({"customer": None}, "subscription sub_1: no customer"),
        ({"items": None, "current_period_end": 10**18}, "subscription sub_1: no end of period"),
        ({"id": 7, "customer": []}, "subscription without id: no id and no customer"),
    ],
)
def test_a_subscription_that_cannot_be_read_is_told_and_holds_nothing_up(
    server: Stub, stripe: StripeGateway, odd: dict[str, Any], told: str
) -> None:
    sound_one = {
        "id": "sub_1",
        "object": "subscription",
        "customer": "cus_1",
        "status": "active",
        "current_period_end": CREATED,
    }
    server.on("GET /v1/subscriptions", listed(sound_one | odd, sound_one | {"id": "sub_2"}))
    page = stripe.renewals(None)
    assert [one.subscription for one in page.renewals] == ["sub_2"]
    assert page.odd == (told,)


@pytest.mark.parametrize(
    ("fields", "renews"),
    [
        ({}, True),
        ({"status": "trialing"}, True),
        ({"status": "past_due"}, True),
        ({"status": None}, True),
        ({"status": "paused"}, False),
        ({"status": "canceled"}, False),
        ({"status": "incomplete"}, False),
        ({"cancel_at_period_end": True}, False),
        ({"collection_method": "send_invoice"}, False),
    ],
)
def test_a_renewal_is_what_will_be_charged_by_itself(
    server: Stub, stripe: StripeGateway, fields: dict[str, Any], renews: bool
) -> None:
    one = {
        "id": "sub_9",
        "object": "subscription",
        "customer": "cus_1",
        "status": "active",
        "current_period_end": CREATED,
    }
    server.on("GET /v1/subscriptions", listed(one | fields))
    server.on("GET /v1/subscriptions/sub_9", one | fields)
    assert bool(stripe.renewals(None).renewals) is renews
    assert (stripe.renewal("sub_9") is not None) is renews
    assert stripe.renewal("sub_gone") is None


def test_a_card_says_whose_it_is(server: Stub, stripe: StripeGateway) -> None:
    server.on("GET /v1/payment_methods/pm_1", method())
    server.on("GET /v1/payment_methods/pm_2", method("pm_2") | {"customer": None})
    assert (stripe.holder_of("pm_1"), stripe.holder_of("pm_2")) == ("cus_1", None)
