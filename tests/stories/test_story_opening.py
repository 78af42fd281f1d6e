"""What opens a case and what does not."""

from datetime import UTC, datetime

from story_support import Begin, Life

from recovery.cases import facts
from recovery.cases.lifecycle import State
from recovery.simulation.sandbox.cards import script

pytest_plugins = ["story_fixtures"]


def _nobody_is_bothered(life: Life) -> None:
    life.run(days=40)
    assert life.count("SELECT count(*) FROM cases") == 0
    assert life.mails.messages == []
    assert [entry for entry in life.sandbox.ledger.entries if entry.initiator == "engine"] == []


def test_a_first_invoice_opens_nothing(begin: Begin) -> None:
    life = begin()
    life.sandbox.make_signup_invoice(["insufficient_funds"])
    _nobody_is_bothered(life)
    assert any("first invoice" in detail for detail in life.told("invoice.payment_failed"))


def test_a_failure_from_the_other_mode_opens_nothing(begin: Begin) -> None:
    life = begin()
    life.lose_webhooks()
    invoice = life.sandbox.make_failed_invoice(behaviour=["insufficient_funds"])
    answer = life.post("invoice.payment_failed", {"id": invoice, "object": "invoice"}, livemode=True)
    assert answer.status_code == 200
    _nobody_is_bothered(life)
    assert life.told("invoice.payment_failed") == ["from the other mode (test or live) than our key"]


def test_an_invoice_that_is_sent_to_the_customer_opens_nothing(begin: Begin) -> None:
    life = begin()
    customer = life.sandbox.make_customer()
    life.sandbox.make_card(customer, ["insufficient_funds"])
    invoice = life.merchant("invoices", customer=customer, collection_method="send_invoice")["id"]
    life.merchant("invoiceitems", customer=customer, invoice=invoice, amount="4900", currency="usd")
    life.merchant(f"invoices/{invoice}/finalize")
    assert life.sandbox.gateway_attempt(invoice) is not None
    _nobody_is_bothered(life)
    assert any("sent to the customer" in detail for detail in life.told("invoice.payment_failed"))


def test_a_payment_without_an_invoice_opens_nothing(begin: Begin) -> None:
    life = begin()
    intent = {"id": "pi_alone", "object": "payment_intent", "status": "requires_payment_method", "amount": 700}
    assert life.post("payment_intent.payment_failed", intent).status_code == 200
    _nobody_is_bothered(life)
    assert life.told("payment_intent.payment_failed") == ["belongs to no invoice"]


def test_an_invoice_of_a_cancelled_subscription_opens_nothing(begin: Begin) -> None:
    life = begin()
    invoice = life.sandbox.make_failed_invoice(behaviour=["insufficient_funds"])
    named = life.sandbox.read(invoice)["parent"]["subscription_details"]["subscription"]
    life.sandbox.cancel_subscription(named)
    _nobody_is_bothered(life)


def test_an_invoice_paid_before_anybody_looked_opens_nothing(begin: Begin) -> None:
    life = begin()
    invoice = life.sandbox.make_failed_invoice(behaviour=["insufficient_funds", "approve"])
    life.sandbox.customer_pays(invoice)
    _nobody_is_bothered(life)


def test_a_debit_goes_to_a_person_who_withdraws_it(begin: Begin) -> None:
    life = begin()
    sandbox = life.sandbox
    customer = sandbox.make_customer(country="DE")
    debit = sandbox.read(sandbox.make_debit(customer))["sepa_debit"]["fingerprint"]
    with sandbox.core.store.lock:
        script(sandbox.core.store, debit, ["processing_then_insufficient_funds"], brand="sepa_debit")
    life.invoice = sandbox.make_failed_invoice(customer, currency="eur")
    life.run(hours=2)
    assert life.case().state is State.REVIEW
    life.run(days=7)
    assert life.case().escalations == 2
    decided = facts.PersonDecided(to=State.WITHDRAWN, note="the mandate was revoked", decided_at=life.now)
    life.tell(decided)
    life.run(days=30)
    assert life.case().state is State.WITHDRAWN
    assert life.tries() == []
    assert life.mails.messages == []
    assert life.booked() == {"at_risk": 4900, "withdrawn": 4900}


def test_a_case_that_a_person_lets_go_on_goes_on(begin: Begin) -> None:
    life = begin()
    life.fail("duplicate_transaction", "approve")
    assert life.case().state is State.REVIEW
    life.run(days=1)
    life.sandbox.rescript(life.card(), ["approve"])
    other = life.sandbox.make_card(life.customer(), ["approve"], last4="1881")
    life.work()
    assert life.case().state is State.REVIEW, "a person must still look"
    life.tell(facts.PersonDecided(to=State.SILENT, note="it was not paid twice", decided_at=life.now))
    life.run(days=2)
    assert life.case().state is State.RECOVERED
    assert life.card() == other


def test_an_old_failure_opens_a_case_as_of_its_day(begin: Begin) -> None:
    life = begin()
    life.sandbox.faults.set_probabilities({"late_business": 1.0}, seconds={"late_business": 2 * 86400.0})
    life.fail("insufficient_funds", "approve")
    life.sandbox.faults.clear()
    life.run(days=1)
    assert life.count("SELECT count(*) FROM cases") == 0
    life.run(days=9)
    case = life.case()
    assert case.failed_at == datetime(2026, 10, 6, 17, tzinfo=UTC)
    assert case.state is State.RECOVERED
