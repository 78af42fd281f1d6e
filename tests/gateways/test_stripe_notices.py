"""Webhooks: who signed them, when, and what little is kept of them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe as library
from stripe_stub import CREATED, charge, intent, invoice, method

from recovery.gateways.port import PayloadRejected, SignatureRejected
from recovery.gateways.stripe import KINDS, StripeGateway

NOW = datetime(2026, 10, 5, 9, 30, tzinfo=UTC)
OLD, NEW = "whsec_old", "whsec_new"
GATEWAY = StripeGateway(secret_key="sk_test_1", webhook_secrets=(NEW, OLD))


def event(kind: str, thing: dict[str, Any], **fields: Any) -> dict[str, Any]:
    previous = fields.pop("previous", None)
    return {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": CREATED,
        "livemode": False,
        "data": {"object": thing, **({"previous_attributes": previous} if previous else {})},
        "request": {"id": None, "idempotency_key": None},
        **fields,
    }


def signed(body: bytes, *secrets: str, at: datetime = NOW) -> str:
    stamp = int(at.timestamp())
    made = [library.WebhookSignature.generate_signature_header(body.decode(), one, stamp) for one in secrets]
    return f"t={stamp}," + ",".join(header.split(",", 1)[1] for header in made)


def kept(kind: str, thing: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = json.dumps(event(kind, thing, **fields)).encode()
    return dict(GATEWAY.verify(body, signed(body, NEW), machine_now=NOW).content)


BODY = json.dumps(event("invoice.paid", invoice(status="paid"))).encode()


@pytest.mark.parametrize("secrets", [(NEW,), (OLD,), (OLD, NEW), ("whsec_other", OLD)])
def test_any_of_our_secrets_will_do_while_one_replaces_another(secrets: tuple[str, ...]) -> None:
    assert GATEWAY.verify(BODY, signed(BODY, *secrets), machine_now=NOW).id == "evt_1"


@pytest.mark.parametrize("skew", [-300, -299, 0, 299, 300])
def test_five_minutes_either_way_are_tolerated(skew: int) -> None:
    header = signed(BODY, NEW, at=NOW + timedelta(seconds=skew))
    assert GATEWAY.verify(BODY, header, machine_now=NOW).kind == "invoice.paid"


@pytest.mark.parametrize("skew", [-301, 301, -86400, 86400])
def test_too_old_and_too_new_are_refused(skew: int) -> None:
    with pytest.raises(SignatureRejected):
        GATEWAY.verify(BODY, signed(BODY, NEW, at=NOW + timedelta(seconds=skew)), machine_now=NOW)


def test_an_old_signed_body_cannot_be_sent_again_with_a_second_timestamp() -> None:
    old = signed(BODY, NEW, at=NOW - timedelta(hours=1))
    fresh = f"t={int(NOW.timestamp())}"
    for header in (f"{old},{fresh}", f"{fresh},{old}", old.replace("t=", "t= ") + "," + fresh):
        with pytest.raises(SignatureRejected):
            GATEWAY.verify(BODY, header, machine_now=NOW)


STAMP = int(NOW.timestamp())


@pytest.mark.parametrize(
    "header",
    [
        "",
        "v1=abc",
        "t=,v1=abc",
        f"t={STAMP}",
        f"t={STAMP},v0=abc",
        f"t={STAMP},v1=é",
        f"t={STAMP},v1",
        "t=" + "9" * 5000 + ",v1=abc",
        "t=-1,v1=abc",
        "t=²,v1=abc",
        signed(BODY, "whsec_other"),
        signed(BODY + b" ", NEW),
    ],
)
def test_forged_and_broken_signatures_are_refused(header: str) -> None:
    with pytest.raises(SignatureRejected):
        GATEWAY.verify(BODY, header, machine_now=NOW)


def test_without_a_secret_nothing_is_believed() -> None:
    for secrets in ((), ("",), ("  ",)):
        bare = StripeGateway(secret_key="sk_test_1", webhook_secrets=secrets)
        with pytest.raises(SignatureRejected):
            bare.verify(BODY, signed(BODY, NEW), machine_now=NOW)


def test_a_body_that_is_no_text_is_refused() -> None:
    with pytest.raises(SignatureRejected):
        GATEWAY.verify(b"\xff\xfe", signed(BODY, NEW), machine_now=NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"id": NaN}',
        b"[" * 100_000,
        json.dumps({"id": "evt_1", "type": "invoice.paid", "created": 1}).encode(),
        json.dumps(event("invoice.paid", {}, id=None)).encode(),
        json.dumps(event("invoice.paid", {}, created="then")).encode(),
        json.dumps(event("invoice.paid", {}, created=10**17)).encode(),
        json.dumps(event("", {})).encode(),
        json.dumps(event("invoice.paid", {}, id="evt\x00")).encode(),
        json.dumps(event("invoice.paid", {}, data=[])).encode(),
    ],
)
def test_signed_nonsense_is_a_payload_error(body: bytes) -> None:
    with pytest.raises(PayloadRejected):
        GATEWAY.verify(body, signed(body, NEW), machine_now=NOW)


def test_the_notice_says_when_what_and_on_whose_call() -> None:
    ours = {"id": "req_1", "idempotency_key": "attempt-1"}
    for request, key, called in (
        (ours, "attempt-1", True),
        ({"id": "req_2", "idempotency_key": None}, None, True),
        ("req_3", None, True),
        ({"id": None, "idempotency_key": None}, None, False),
        (None, None, False),
    ):
        body = json.dumps(event("charge.failed", charge(), request=request)).encode()
        notice = GATEWAY.verify(body, signed(body, NEW), machine_now=NOW)
        assert (notice.idempotency_key, notice.caused_by_request) == (key, called)
        assert (notice.kind, notice.object_id, notice.created_at) == ("charge.failed", "ch_1", NOW)


def test_an_invoice_keeps_the_same_fields_in_both_shapes() -> None:
    new = invoice(next_payment_attempt=CREATED + 60)
    old = {**new, "charge": "ch_1", "payment_intent": "pi_1", "subscription": "sub_1"}
    del old["payments"], old["parent"]
    content = kept("invoice.updated", new, previous={"next_payment_attempt": None, "customer_email": "x@example.com"})
    assert content == {
        "invoice": "in_1",
        "customer": "cus_1",
        "subscription": "sub_1",
        "payment_intent": "pi_1",
        "status": "open",
        "currency": "usd",
        "amount_due": 4900,
        "amount_paid": 0,
        "amount_remaining": 4900,
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "created": CREATED - 3600,
        "next_payment_attempt": CREATED + 60,
        "changed": "next_payment_attempt",
    }
    without = {key: value for key, value in content.items() if key != "changed"}
    assert kept("invoice.updated", old) == {**without, "charge": "ch_1"}


THINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "invoice.payment_failed": (invoice(), {"invoice": "in_1", "status": "open"}),
    "invoice_payment.paid": (
        {"id": "inpay_1", "invoice": "in_1", "status": "paid", "payment": {"payment_intent": "pi_1", "type": "x"}},
        {"invoice": "in_1", "payment_intent": "pi_1", "status": "paid"},
    ),
    "payment_intent.payment_failed": (
        intent(last_payment_error={"code": "card_declined", "decline_code": "lost_card", "payment_method": method()}),
        {"payment_intent": "pi_1", "charge": "ch_1", "decline_code": "lost_card", "payment_method": "pm_1"},
    ),
    "charge.failed": (
        charge(),
        {
            "charge": "ch_1",
            "network_decline_code": "51",
            "outcome_type": "issuer_declined",
            "failure_code": "card_declined",
        },
    ),
    "charge.refunded": (charge(amount_refunded=100, refunded=False), {"charge": "ch_1", "amount_refunded": 100}),
    "charge.dispute.closed": (
        {"id": "dp_1", "charge": "ch_1", "status": "lost", "amount": 4900, "currency": "usd"},
        {"dispute": "dp_1", "charge": "ch_1", "status": "lost", "amount": 4900},
    ),
    "refund.updated": ({"id": "re_1", "charge": "ch_1", "status": "failed"}, {"refund": "re_1", "status": "failed"}),
    "customer.subscription.deleted": (
        {
            "id": "sub_1",
            "customer": "cus_1",
            "status": "canceled",
            "cancellation_details": {"reason": "cancellation_requested", "comment": "write to me@example.com"},
        },
        {"subscription": "sub_1", "status": "canceled", "cancel_reason": "cancellation_requested"},
    ),
    "payment_method.automatically_updated": (method(exp_year=2033), {"payment_method": "pm_1", "exp_year": 2033}),
    "customer.source.updated": (
        {"id": "card_1", "object": "card", "customer": "cus_1", "last4": "4242"},
        {"payment_method": "card_1", "customer": "cus_1", "last4": "4242"},
    ),
    "customer.updated": (
        {"id": "cus_1", "email": "me@example.com", "invoice_settings": {"default_payment_method": "pm_2"}},
        {"customer": "cus_1", "payment_method": "pm_2"},
    ),
}


@pytest.mark.parametrize("kind", THINGS)
def test_every_kind_keeps_what_a_translator_needs(kind: str) -> None:
    thing, needed = THINGS[kind]
    content = kept(kind, thing)
    assert needed.items() <= content.items()
    assert "example.com" not in json.dumps(content)


def test_every_stored_kind_keeps_its_own_object() -> None:
    for kind in KINDS:
        assert "x_1" in kept(kind, {"id": "x_1"}).values(), kind


@pytest.mark.parametrize(
    ("kind", "previous", "changed"),
    [
        ("payment_method.updated", {"billing_details": {"address": {"postal_code": "94110"}}}, "billing_address"),
        ("payment_method.updated", {"billing_details": {"address": None}}, "billing_address"),
        ("payment_method.updated", {"billing_details": None}, "billing_address"),
        ("payment_method.updated", {"billing_details": {"email": "me@example.com"}}, ""),
        ("payment_method.updated", {"billing_details": "Main Street", "card": {"exp_year": 2025}}, "card"),
        ("customer.source.updated", {"address_zip": "94110", "exp_year": 2025}, "billing_address exp_year"),
        ("customer.source.updated", {"address_zip_check": "fail"}, ""),
    ],
)
def test_of_a_corrected_billing_address_only_the_fact_is_kept(
    kind: str, previous: dict[str, Any], changed: str
) -> None:
    content = kept(kind, method(), previous=previous)
    assert content["changed"] == changed
    assert "94110" not in str(content)


def test_the_customer_a_method_was_detached_from_is_kept() -> None:
    detached = {**method(), "customer": None}
    assert kept("payment_method.detached", detached, previous={"customer": "cus_9"})["customer"] == "cus_9"


def personal(value: object) -> object:
    """The same JSON with a stranger's address in every field that the allow-list does not name."""
    marked = {"email": "me@example.com", "name": "Me Example", "phone": "+1 555", "address": {"line1": "1 Example St"}}
    if isinstance(value, dict):
        fields = {key: personal(one) for key, one in value.items()}
        return {**marked, **fields, "metadata": marked, "billing_details": marked, "customer_email": "me@example.com"}
    return [personal(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_name_address_or_email_survives(kind: str) -> None:
    for thing in (invoice(), charge(), intent(), method(), {"id": "sub_1"}):
        marked = personal(thing)
        assert isinstance(marked, dict)
        stored = json.dumps(kept(kind, marked, previous=marked))
        assert not any(word in stored for word in ("me@", "Example", "555"))


def test_what_no_database_takes_is_cleaned_or_left_out() -> None:
    odd = {"id": "in_1", "status": "op\x00en", "currency": "\ud800", "billing_reason": "x" * 300, "amount_due": 1.5}
    assert kept("invoice.updated", odd) == {"invoice": "in_1", "status": "open", "currency": "?"}


def test_kinds_that_nobody_stores_yield_an_empty_notice() -> None:
    for kind in ("customer.created", "plan.created", "invoice.created", "charge.succeeded"):
        assert kept(kind, charge()) == {}
    body = json.dumps(event("balance.available", {"object": "balance"})).encode()
    assert GATEWAY.verify(body, signed(body, NEW), machine_now=NOW).object_id == ""


def test_a_thin_event_names_its_object() -> None:
    thin = {
        "id": "evt_test_65",
        "object": "v2.core.event",
        "type": "v1.charge.dispute.created",
        "created": "2026-10-05T09:30:00.000Z",
        "livemode": True,
        "related_object": {"id": "dp_1", "type": "dispute", "url": "/v1/disputes/dp_1"},
        "reason": {"type": "request", "request": {"id": "req_1", "idempotency_key": "attempt-1"}},
    }
    body = json.dumps(thin).encode()
    notice = GATEWAY.verify(body, signed(body, NEW), machine_now=NOW)
    assert (notice.kind, notice.object_id, notice.livemode) == ("charge.dispute.created", "dp_1", True)
    assert (notice.created_at, notice.idempotency_key) == (NOW, "attempt-1")
    assert notice.content == {"dispute": "dp_1"}
    for broken in ({"created": "yesterday"}, {"created": "2026-10-05T09:30:00"}, {"created": None}, {"id": None}):
        body = json.dumps({**thin, **broken}).encode()
        with pytest.raises(PayloadRejected):
            GATEWAY.verify(body, signed(body, NEW), machine_now=NOW)


@pytest.mark.parametrize(
    ("key", "live"),
    [("sk_live_1", True), ("rk_live_1", True), ("sk_test_1", False), ("rk_test_1", False), ("x", False)],
)
def test_the_key_says_whether_money_is_real(key: str, live: bool) -> None:
    gateway = StripeGateway(secret_key=key)
    assert gateway.livemode is live
    assert key not in f"{gateway!r} {gateway}" or key == "x"
