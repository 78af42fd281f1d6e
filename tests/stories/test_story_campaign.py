"""Everything that ends a campaign does so between planning and sending as well, heard of or not."""

from datetime import timedelta
from itertools import pairwise

import pytest
from story_house import CONFIG
from story_support import Begin, Life

from recovery.cases.lifecycle import State, StepKind
from recovery.runtime.knowledge import load_knowledge

pytest_plugins = ["story_fixtures"]


def _asked(life: Life) -> None:
    life.fail("lost_card")
    assert len(life.mails.messages) == 1


def _void(life: Life) -> None:
    life.sandbox.void(life.invoice)


def _cancel(life: Life) -> None:
    held = life.sandbox.read(life.invoice)["parent"]["subscription_details"]["subscription"]
    life.sandbox.cancel_subscription(str(held), feedback="unused")


def _pay(life: Life) -> None:
    better = life.sandbox.make_card(life.customer(), ["approve"], default=False)
    life.sandbox.customer_pays(life.invoice, method=better)


def _refund(life: Life) -> None:
    """What was paid is given back before we look: at the gateway the invoice stays paid."""
    _pay(life)
    life.sandbox.refund(life.invoice)


def _credit(life: Life) -> None:
    """A credit note over all that is owed."""
    life.sandbox.change_amount(life.invoice, 0)


def _write_off(life: Life) -> None:
    life.merchant(f"invoices/{life.invoice}/mark_uncollectible")


@pytest.mark.parametrize("heard", [True, False], ids=["heard", "unheard"])
@pytest.mark.parametrize("end", [_void, _cancel, _pay, _refund, _credit, _write_off])
def test_what_ends_a_case_stops_the_letter_that_is_planned(begin: Begin, end: object, heard: bool) -> None:
    life = begin()
    _asked(life)
    if not heard:
        life.lose_webhooks()
    life.run_to_step(StepKind.SEND_EMAIL)
    assert callable(end)
    end(life)
    life.run(days=20)
    assert life.case().state in (State.WITHDRAWN, State.RECOVERED, State.LOST)
    assert len(life.mails.messages) == 1, "written to after the end"
    if not heard:
        life.wiring.backfill()  # finds what was never told, for the books
        life.work()


def test_three_invoices_of_one_customer_share_the_cap_on_letters(begin: Begin) -> None:
    life = begin()
    _asked(life)
    invoices = [life.invoice, *(life.sandbox.make_failed_invoice(life.customer()) for _ in range(2))]
    life.run(days=25)
    at = sorted(email.begun_at for invoice in invoices for email in life.file(invoice).emails)
    dunning = load_knowledge(CONFIG).policy.dunning
    assert len(at) == len(life.mails.messages) == dunning.customer_emails_max
    gaps = [(later - earlier) / timedelta(hours=1) for earlier, later in pairwise(at)]
    assert min(gaps) >= dunning.customer_gap_hours
    assert "the customer got enough over all cases" in life.reasons()
