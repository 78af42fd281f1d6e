"""The customer's pages and the control plane, over HTTP."""

import httpx
from sandbox_support import START, Clock, Running

from recovery.simulation.sandbox import RunSettings, Sandbox, populated_sandbox, serve_sandbox

pytest_plugins = ["sandbox_fixtures"]


def test_the_hosted_page_shows_on_get_and_pays_on_post(running: Running) -> None:
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds"])
    url = str(running.client.v1.invoices.retrieve(invoice).hosted_invoice_url)
    assert "4900 usd" in httpx.get(url).text
    assert len(running.sandbox.ledger.entries) == 1
    declined = httpx.post(url, data={})
    assert declined.status_code == 402
    assert httpx.post(url, data={"card": "pm_card_mastercard"}).status_code == 200
    last = running.sandbox.ledger.entries[-1]
    assert (last.initiator, last.on_session, last.outcome, last.idempotency_key) == (
        "customer",
        True,
        "succeeded",
        None,
    )
    assert httpx.get(f"{running.url}/pages/invoice/in_none").status_code == 404
    assert httpx.post(url, data={"card": "pm_card_none"}).status_code == 400


def test_the_portal_changes_only_the_customers_default(running: Running) -> None:
    sandbox, client = running.sandbox, running.client
    customer = sandbox.make_customer()
    old = sandbox.make_card(customer, ["insufficient_funds"])
    subscription = sandbox.make_subscription(customer)
    client.v1.subscriptions.update(subscription, {"default_payment_method": old})
    session = client.v1.billing_portal.sessions.create(
        {"customer": customer, "return_url": "https://merchant.example.com/back"}
    )
    assert "Change your card" in httpx.get(session.url).text
    saved = httpx.post(session.url, data={"card": "pm_card_visa"}, follow_redirects=False)
    assert (saved.status_code, saved.headers["location"]) == (303, "https://merchant.example.com/back")
    settings = client.v1.customers.retrieve(customer).invoice_settings
    assert settings is not None
    assert settings.default_payment_method not in (None, old)
    assert client.v1.subscriptions.retrieve(subscription).default_payment_method == old


def _json(running: Running, method: str, path: str, body: object = None) -> dict[str, object]:
    answer = httpx.request(method, f"{running.url}/_sandbox/{path}", json=body)
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


def test_the_control_plane(running: Running) -> None:
    state = _json(running, "GET", "state")
    assert state["business_now"] == running.clock.at.isoformat()
    assert (state["next_due_at"], state["pending_webhooks"], state["in_flight_requests"]) == (None, 0, 0)
    _json(running, "POST", "faults", {"queue": [{"kind": "charge_then_500"}, {"kind": "lost"}]})
    invoice = running.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    paying = httpx.post(f"{running.url}/v1/invoices/{invoice}/pay", headers={"Authorization": "Bearer sk_test_sandbox"})
    assert paying.status_code == 500
    ledger = _json(running, "GET", "ledger")
    assert ledger["charged_twice"] == []
    assert isinstance(ledger["charges"], list)
    assert [one["outcome"] for one in ledger["charges"]] == ["declined", "succeeded"]
    assert len(_json(running, "GET", "customers")["customers"]) == 1  # type: ignore[arg-type]
    assert _json(running, "POST", "mail", {"to": "nobody@example.com"}) == {"known": False}
    wrong = httpx.post(f"{running.url}/_sandbox/faults", json={"queue": [{"kind": "flood"}]})
    assert wrong.status_code == 400


def test_a_world_is_played_over_http() -> None:
    clock = Clock()
    sandbox: Sandbox = populated_sandbox(RunSettings(start_at=START, customers=10, seed=4), now=clock)
    with serve_sandbox(sandbox) as url:
        state = httpx.get(f"{url}/_sandbox/state").json()
        assert state["next_due_at"] > START.isoformat()
        until = clock.advance(days=10)
        played = httpx.post(f"{url}/_sandbox/play", json={"until": until.isoformat()}).json()
        assert played["played"] >= 10
        ledger = httpx.get(f"{url}/_sandbox/ledger").json()
        first = [one for one in ledger["charges"] if one["initiator"] == "gateway"]
        assert {one["outcome"] for one in first} == {"declined"}
        assert len(first) == 10
        assert httpx.post(f"{url}/_sandbox/play", json={"until": "2026-12-01T00:00:00"}).status_code == 400
