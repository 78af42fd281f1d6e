"""The rest of the API, through the real client."""

import httpx
import pytest
import stripe
from sandbox_support import Running, Server

from recovery.simulation.sandbox import SandboxOptions
from recovery.simulation.sandbox.api import HANDLERS, PAY
from recovery.simulation.sandbox.document import rendered
from recovery.simulation.sandbox.endpoints import ENDPOINTS
from recovery.simulation.sandbox.templates import ONLY_WITH, TEMPLATES

pytest_plugins = ["sandbox_fixtures"]


def _paid(running: Running) -> str:
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    running.pay(invoice)
    return invoice


def test_every_endpoint_has_a_handler_and_every_handler_an_endpoint() -> None:
    assert {one.name for one in ENDPOINTS} == {*HANDLERS, PAY}
    assert len({(one.method, one.path) for one in ENDPOINTS}) == len(ENDPOINTS)


def test_the_published_page_is_in_step(request: pytest.FixtureRequest) -> None:
    page = request.config.rootpath / "docs" / "sandbox.md"
    assert page.read_text("utf-8") == rendered(), "run: python -m recovery.simulation.sandbox.document"


def test_objects_have_the_published_fields(running: Running) -> None:
    _paid(running)
    seen = set()
    for path in ("customers", "subscriptions", "invoices", "invoice_payments", "charges", "payment_intents", "events"):
        answer = _raw(running, "GET", f"/v1/{path}")
        for thing in answer.json()["data"]:
            kind = thing["object"]
            seen.add(kind)
            fields = set(thing) - {"id", "object"}
            assert set(TEMPLATES[kind]) <= fields <= set(TEMPLATES[kind]) | set(ONLY_WITH.get(kind, []))
    assert len(seen) == 7


def _raw(running: Running, method: str, path: str, **more: object) -> httpx.Response:
    headers = {"Authorization": "Bearer sk_test_sandbox"}
    return httpx.request(method, running.url + path, headers=headers, verify=False, **more)  # type: ignore[arg-type]


def test_what_is_not_spoken_is_refused_by_name(running: Running) -> None:
    answer = _raw(running, "POST", "/v1/payment_intents", data={"amount": "100"})
    assert answer.status_code == 501
    assert "/v1/payment_intents" in answer.json()["error"]["message"]
    answer = _raw(running, "POST", "/v1/customers", data={"emial": "a@example.com"})
    assert answer.status_code == 501
    assert answer.json()["error"]["param"] == "emial"
    answer = _raw(running, "GET", "/v1/invoices?colour=red")
    assert (answer.status_code, answer.json()["error"]["param"]) == (501, "colour")
    with pytest.raises(stripe.APIError) as caught:
        running.client.v1.coupons.list()
    assert caught.value.http_status == 501


def test_account_and_customers(running: Running) -> None:
    client = running.client
    assert client.v1.accounts.retrieve_current().country == "US"
    made = client.v1.customers.create(
        {
            "email": "x@example.com",
            "name": "X",
            "address": {"country": "US", "state": "CA"},
            "preferred_locales": ["de"],
            "metadata": {"plan": "gold"},
            "payment_method": "pm_card_visa",
        }
    )
    assert made.address is not None
    assert (made.address.state, made.preferred_locales, made.metadata["plan"]) == ("CA", ["de"], "gold")  # type: ignore[index]
    methods = client.v1.customers.payment_methods.list(made.id, {"type": "card"})
    assert methods.data[0].card is not None
    assert methods.data[0].card.last4 == "4242"
    assert [one.id for one in client.v1.payment_methods.list({"customer": made.id}).data] == [methods.data[0].id]
    updated = client.v1.customers.update(
        made.id, {"invoice_settings": {"default_payment_method": methods.data[0].id}, "metadata": {"seat": "2"}}
    )
    assert updated.metadata is not None
    assert updated.metadata.to_dict() == {"plan": "gold", "seat": "2"}
    found = client.v1.customers.retrieve(made.id, {"expand": ["invoice_settings.default_payment_method"]})
    assert found.invoice_settings is not None
    default = found.invoice_settings.default_payment_method
    assert isinstance(default, stripe.PaymentMethod)
    detached = client.v1.payment_methods.detach(default.id)
    assert detached.customer is None
    again = client.v1.customers.retrieve(made.id)
    assert again.invoice_settings is not None
    assert again.invoice_settings.default_payment_method is None
    assert client.v1.customers.list({"email": "x@example.com"}).data[0].id == made.id


def test_a_changed_expiry_is_told(running: Running) -> None:
    customer = running.sandbox.make_customer()
    card = running.sandbox.make_card(customer)
    updated = running.client.v1.payment_methods.update(card, {"card": {"exp_year": 2040}})
    assert updated.card is not None
    assert updated.card.exp_year == 2040
    event = running.client.v1.events.list({"types": ["payment_method.updated"]}).data[0]
    assert event.data.previous_attributes is not None


def test_subscriptions(running: Running) -> None:
    client = running.client
    customer = running.sandbox.make_customer()
    made = client.v1.subscriptions.create(
        {
            "customer": customer,
            "items": [
                {
                    "price_data": {
                        "currency": "eur",
                        "product": "prod_x",
                        "unit_amount": 1900,
                        "recurring": {"interval": "year"},
                    }
                }
            ],
        }
    )
    assert made.status == "active"
    item = made["items"].data[0]
    assert (item.price.unit_amount, item.price.recurring.interval) == (1900, "year")
    assert item.current_period_end - item.current_period_start == 365 * 86400
    ended = client.v1.subscriptions.cancel(made.id, {"cancellation_details": {"feedback": "unused"}})
    assert ended.status == "canceled"
    assert ended.cancellation_details is not None
    assert ended.cancellation_details.feedback == "unused"
    assert client.v1.subscriptions.list({"customer": customer}).data == []
    assert len(client.v1.subscriptions.list({"customer": customer, "status": "all"}).data) == 1
    assert client.v1.events.list({"type": "customer.subscription.deleted"}).data


def test_a_manual_invoice_from_draft_to_void(running: Running) -> None:
    client = running.client
    customer = running.sandbox.make_customer()
    draft = client.v1.invoices.create({"customer": customer, "currency": "jpy", "auto_advance": False})
    client.v1.invoice_items.create({"customer": customer, "invoice": draft.id, "amount": 980})
    opened = client.v1.invoices.finalize_invoice(draft.id)
    assert (opened.status, opened.amount_due, opened.currency, opened.billing_reason) == ("open", 980, "jpy", "manual")
    assert opened.hosted_invoice_url is not None
    updated = client.v1.invoices.update(draft.id, {"metadata": {"a": "b"}})
    assert updated.metadata is not None
    assert updated.metadata.to_dict() == {"a": "b"}
    assert client.v1.invoices.mark_uncollectible(draft.id).status == "uncollectible"
    assert client.v1.invoices.void_invoice(draft.id).status == "void"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.invoices.void_invoice(draft.id)


def test_paid_out_of_band(running: Running) -> None:
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds"])
    assert running.pay(invoice, paid_out_of_band=True).status == "paid"
    assert list(running.sandbox.ledger.succeeded()) == []


def test_lists_are_paged(running: Running) -> None:
    customer = running.sandbox.make_customer()
    subscription = running.sandbox.make_subscription(customer)
    made = []
    for _ in range(7):
        running.clock.advance(hours=1)
        made.append(running.sandbox.make_failed_invoice(customer, behaviour=["do_not_honor"]))
    page = running.client.v1.invoices.list({"customer": customer, "limit": 3})
    assert page.has_more
    assert [one.id for one in page.auto_paging_iter()] == list(reversed(made))
    since = running.client.v1.invoices.retrieve(made[4]).created
    assert len(running.client.v1.invoices.list({"created": {"gte": since}}).data) == 3
    assert len(running.client.v1.invoices.list({"status": "open", "subscription": subscription}).data) == 7
    assert running.client.v1.invoices.list({"status": "paid"}).data == []
    with pytest.raises(stripe.InvalidRequestError):
        running.client.v1.invoices.list({"limit": 101})
    back = running.client.v1.invoices.list({"customer": customer, "limit": 2, "ending_before": made[0]})
    assert [one.id for one in back.data] == [made[2], made[1]]


def test_payments_refunds_and_disputes_lead_back_to_the_invoice(running: Running) -> None:
    client = running.client
    invoice = _paid(running)
    link = client.v1.invoice_payments.list({"invoice": invoice}).data[0]
    intent = link.payment.payment_intent
    assert isinstance(intent, str)
    assert link.status == "paid"
    by_intent = client.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent}})
    assert [one.invoice for one in by_intent.data] == [invoice]
    assert client.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": "pi_x"}}).data == []
    charges = client.v1.charges.list({"payment_intent": intent}).data
    assert [one.status for one in charges] == ["succeeded", "failed"]
    balance = client.v1.balance_transactions.retrieve(str(charges[0].balance_transaction))
    assert (balance.amount, balance.fee, balance.net) == (4900, 172, 4728)

    part = client.v1.refunds.create({"charge": charges[0].id, "amount": 900})
    assert (part.payment_intent, part.status) == (intent, "succeeded")
    running.sandbox.dispute(invoice)
    dispute = client.v1.disputes.list({"payment_intent": intent}).data[0]
    assert (dispute.amount, dispute.status) == (4000, "needs_response")
    running.sandbox.close_dispute(dispute.id, won=False)
    assert client.v1.disputes.retrieve(dispute.id).status == "lost"
    movements = running.sandbox.ledger.movements
    assert [(one.kind, one.amount_minor, one.invoice) for one in movements] == [
        ("refund", 900, invoice),
        ("dispute_opened", 4000, invoice),
        ("dispute_lost", 4000, invoice),
    ]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"charge": charges[0].id, "amount": 4001})
    types = {one.type for one in client.v1.events.list({"types": ["charge.*"], "limit": 50}).data}
    assert {"charge.refunded", "charge.dispute.created", "charge.dispute.closed"} <= types
    totals = running.sandbox.ledger.totals()["usd"]
    assert (totals["charged_minor"], totals["refunded_minor"], totals["dispute_lost_minor"]) == (4900, 900, 4000)


def test_basil_and_legacy_invoices(serve: Server) -> None:
    basil, legacy = serve(), serve(SandboxOptions(shape="legacy"))
    new = basil.client.v1.invoices.retrieve(_paid(basil))
    for gone in ("charge", "payment_intent", "paid", "subscription", "payments"):
        assert gone not in new
    assert new.parent is not None
    assert new.parent.subscription_details is not None
    assert str(new.parent.subscription_details.subscription).startswith("sub_")
    old = legacy.client.v1.invoices.retrieve(_paid(legacy), {"expand": ["charge", "payment_intent"]})
    assert "parent" not in old
    assert old["paid"] is True
    assert old["charge"]["invoice"] == old.id
    assert old["payment_intent"]["status"] == "succeeded"
    assert str(old["subscription"]).startswith("sub_")


def test_expanding_has_stripes_limits(running: Running) -> None:
    invoice = _paid(running)
    found = running.client.v1.invoices.retrieve(
        invoice, {"expand": ["customer", "payments.data.payment.payment_intent"]}
    )
    assert isinstance(found.customer, stripe.Customer)
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        running.client.v1.invoices.list({"expand": ["data.payments.data.payment.payment_intent"]})
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        running.client.v1.invoices.retrieve(invoice, {"expand": ["colour"]})


def test_the_gateways_own_retries(serve: Server) -> None:
    running = serve(SandboxOptions(gateway_retry_days=(3, 5)))
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "do_not_honor", "approve"])
    event = running.client.v1.events.list({"type": "invoice.payment_failed"}).data[0]
    assert event.data.object["next_payment_attempt"] is None
    assert running.client.v1.invoices.retrieve(invoice).next_payment_attempt is not None
    assert running.sandbox.play(running.clock.advance(days=3)) == 1
    assert running.client.v1.invoices.retrieve(invoice).attempt_count == 2
    running.sandbox.play(running.clock.advance(days=5))
    assert running.client.v1.invoices.retrieve(invoice).status == "paid"
    assert {entry.initiator for entry in running.sandbox.ledger.entries} == {"gateway"}


def test_auto_advance_off_stops_the_gateways_retries(serve: Server) -> None:
    running = serve(SandboxOptions(gateway_retry_days=(3,)))
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    assert running.client.v1.invoices.update(invoice, {"auto_advance": False}).next_payment_attempt is None
    running.sandbox.play(running.clock.advance(days=4))
    assert len(running.sandbox.ledger.entries) == 1


def test_a_signup_invoice_says_so(running: Running) -> None:
    invoice = running.client.v1.invoices.retrieve(running.sandbox.make_signup_invoice(["do_not_honor"]))
    assert (invoice.status, invoice.billing_reason) == ("open", "subscription_create")


def test_amount_left_is_what_is_charged(running: Running) -> None:
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    running.sandbox.change_amount(invoice, 4000)
    running.pay(invoice)
    assert running.sandbox.ledger.entries[-1].amount_minor == 4000


def test_requires_action_when_the_customer_could_act(running: Running) -> None:
    customer = running.sandbox.make_customer()
    running.sandbox.make_card(customer, ["insufficient_funds", "authentication_required"])
    invoice = running.sandbox.make_failed_invoice(customer)
    with pytest.raises(stripe.CardError) as caught:
        running.pay(invoice, off_session=False)
    assert caught.value.code == "invoice_payment_intent_requires_action"
