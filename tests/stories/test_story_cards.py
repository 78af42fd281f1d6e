"""Whose card is charged, when a customer has several or changes them. The most common way to go on failing on the old one."""

from dataclasses import replace
from typing import Any

from story_house import CONFIG
from story_support import Begin, Life

from recovery.cases.lifecycle import Source, State, StepKind
from recovery.reporting.period import Asked, span_of
from recovery.reporting.report import View, report
from recovery.runtime.clock import machine_now
from recovery.runtime.knowledge import load_knowledge
from recovery.storage.card_history import card_stories

pytest_plugins = ["story_fixtures"]


def _with_own_card(life: Life, *answers: str) -> str:
    """A renewal fails on a subscription that names its own card; the customer's id."""
    customer = life.sandbox.make_customer()
    named = life.sandbox.make_card(customer, answers, default=False)
    subscription = life.sandbox.make_subscription(customer)
    life.merchant(f"subscriptions/{subscription}", default_payment_method=named)
    life.invoice = life.sandbox.make_failed_invoice(customer, subscription=subscription)
    life.work()
    return customer


def test_a_card_saved_in_the_portal_pays_at_once_although_the_subscription_names_another(begin: Begin) -> None:
    life = begin()
    customer = _with_own_card(life, "insufficient_funds")
    life.run(days=1, hours=15)  # the middle of the night
    saved_at = life.now
    fresh = life.sandbox.make_card(customer, ["approve"], default=False, last4="1881")
    life.sandbox.customer_saves_card(customer, fresh)
    life.work()
    case = life.case()
    assert (case.state, case.source, life.card()) == (State.RECOVERED, Source.CUSTOMER_UNASKED, fresh)
    assert life.tries() == [saved_at]
    assert case.silent_tries == 0, "the customer's own wish uses up nothing of the policy's"
    assert life.mails.messages == []


def test_the_card_that_paid_becomes_the_subscriptions_own_if_the_policy_says_so(begin: Begin) -> None:
    life = begin()
    customer = _with_own_card(life, "insufficient_funds")
    fresh = life.sandbox.make_card(customer, ["approve"], last4="1881")
    life.work()
    subscription = str(life.case().subscription)
    assert life.sandbox.read(subscription)["default_payment_method"] != fresh, "not as shipped"
    policy = load_knowledge(CONFIG).policy
    keeping = replace(policy, cards=replace(policy.cards, make_default=True))
    life.wiring.rulebook.adopt(keeping, database=life.wiring.database, machine_now=machine_now())
    life.sandbox.rescript(fresh, ["insufficient_funds"])
    second = life.sandbox.make_failed_invoice(customer, subscription=subscription)
    life.run(hours=2)
    better = life.sandbox.make_card(customer, ["approve"], last4="0004")
    life.work()
    assert life.case(second).state is State.RECOVERED, life.reasons(second)
    assert life.sandbox.read(subscription)["default_payment_method"] == better
    assert f"the card that paid ({better}) is the subscription's own now" in life.reasons(second)


def test_a_card_saved_in_the_portal_before_the_renewal_is_the_customers_choice(begin: Begin) -> None:
    life = begin()
    customer = life.sandbox.make_customer()
    named = life.sandbox.make_card(customer, ["insufficient_funds"], default=False)
    subscription = life.sandbox.make_subscription(customer)
    life.merchant(f"subscriptions/{subscription}", default_payment_method=named)
    life.run(days=1)
    later = life.sandbox.make_card(customer, ["approve"], last4="1881")
    life.run(days=1)
    life.invoice = life.sandbox.make_failed_invoice(customer, subscription=subscription)
    life.work()
    assert (life.case().state, life.card()) == (State.RECOVERED, later)


def test_a_new_card_that_is_refused_leaves_the_old_ones_schedule_standing(begin: Begin) -> None:
    life = begin()
    customer = _with_own_card(life, "insufficient_funds", "approve")
    old = life.card()
    life.run(hours=3)
    life.sandbox.make_card(customer, ["lost_card"], last4="1881")
    life.work()
    case = life.case()
    assert (case.state, len(case.attempts)) == (State.SILENT, 1), life.reasons()
    life.run(days=10)
    assert (life.case().state, life.card()) == (State.RECOVERED, old)
    assert life.mails.messages == []


def test_a_new_default_of_the_subscription_is_heard_of(begin: Begin) -> None:
    life = begin()
    customer = _with_own_card(life, "insufficient_funds")
    other = life.sandbox.make_card(customer, ["approve"], default=False, last4="1881")
    life.run(hours=2)
    assert life.case().attempts == ()
    subscription = str(life.case().subscription)
    life.merchant(f"subscriptions/{subscription}", default_payment_method=other)
    life.work()
    assert (life.case().state, life.card()) == (State.RECOVERED, other)


def _consents(life: Life, customer: str, word: str) -> None:
    wish: dict[str, Any] = {"metadata[recovery_backup_card]": word}
    life.merchant(f"customers/{customer}", **wish)


def test_another_card_pays_only_with_its_owners_consent(begin: Begin) -> None:
    life = begin()
    customer = life.sandbox.make_customer()
    backup = life.sandbox.make_card(customer, ["approve"], default=False, last4="1881")
    life.run(days=1)
    life.sandbox.make_card(customer, ["lost_card"])
    life.invoice = life.sandbox.make_failed_invoice(customer)
    life.work()
    assert life.case().state is State.DUNNING, "nobody said that it may be charged"

    _consents(life, customer, "yes")
    second = life.sandbox.make_failed_invoice(customer)
    life.work()
    case = life.case(second)
    assert (case.state, case.source, life.card(second)) == (State.RECOVERED, Source.BACKUP_CARD, backup)
    assert "the customer's other card" in life.reasons(second)
    assert case.silent_tries == 0, "a backup has a budget of its own"
    found = report(life.wiring.database, span_of(Asked(), now=life.now), made_at=life.now, views=[View.SOURCE])
    (table,) = found.tables
    shown = {row.key: (row.figures["recovered_minor"], row.figures["credited"]) for row in table.rows}
    assert shown["backup_card"] == (4900, "yes")


def test_a_dead_backup_card_does_not_end_the_wait_for_fresh_details(begin: Begin) -> None:
    life = begin()
    customer = life.sandbox.make_customer()
    _consents(life, customer, "yes")
    life.sandbox.make_card(customer, ["stolen_card"], default=False, last4="1881")
    life.run(days=1)
    life.sandbox.make_card(customer, ["expired_card", "approve"])
    life.invoice = life.sandbox.make_failed_invoice(customer)
    life.work()
    case = life.case()
    assert (case.state, len(case.attempts)) == (State.SILENT, 1)
    assert case.step(StepKind.REFRESH_CARD) is not None
    life.run(days=5)
    main = next(kept.card.payment_method for kept in life.case().wallet)
    life.sandbox.refresh_card(main, exp_month=11, exp_year=2031)
    life.run(days=1)  # over the bank holiday
    assert life.case().source is Source.REFRESHED_CARD
    assert life.mails.messages == []


def test_a_card_that_became_another_brands_is_not_charged_without_its_holder(begin: Begin) -> None:
    life = begin()
    life.fail("expired_card", "approve")
    life.run(days=1)
    life.sandbox.refresh_card(life.card(), brand="mastercard", last4="4444", fingerprint="fp_reissued", exp_year=2031)
    life.work()
    assert (life.case().state, life.tries()) == (State.DUNNING, [])
    assert "it was visa and is mastercard now" in life.reasons()


def test_a_cards_history_tells_what_changed_and_by_which_signal(begin: Begin) -> None:
    life = begin()
    life.fail("expired_card", "approve")
    life.run(hours=3)
    method = life.card()
    life.sandbox.refresh_card(method, exp_month=11, exp_year=2031)
    life.run(hours=1)
    with life.wiring.database.connect() as tx:
        (story,) = card_stories(tx, life.customer())
    told = [(line.what, line.signal) for line in story.lines]
    assert story.card.expiry == "11/2031"
    # That the card was saved is told by events of its own, which may overtake the failure or come behind it.
    assert told[0][0] == "first seen, the customer's default"
    told_by = (
        "read again by ourselves",
        "the gateway says: customer updated",
        "the gateway says: payment method attached",
    )
    assert told[0][1] in told_by
    assert told[1][0].startswith("expiry ")
    assert told[1][0].endswith(" → 11/2031")
    assert told[1][1] == "the gateway says: payment method automatically updated"
    assert told[2] == ("attempt 1 (refreshed card): succeeded", None)
    assert all(line.case_id == life.case().id for line in story.lines)


def test_a_card_that_dies_on_one_invoice_is_not_tried_on_the_customers_other_one(begin: Begin) -> None:
    """Each case knew only what it was refused itself: the second invoice presented a card that was reported stolen."""
    life = begin()
    first = life.fail("insufficient_funds", "insufficient_funds", "stolen_card", "approve")
    second = life.sandbox.make_failed_invoice(life.customer())
    life.run(days=12)
    assert [a.signals.decline_code for a in life.case(first).attempts if a.signals] == ["stolen_card"]
    assert life.case(second).attempts == (), life.reasons(second)
    assert "the card itself was refused for good meanwhile" in life.reasons(second)
    fresh = life.sandbox.make_card(life.customer(), ["approve"], last4="1881")
    life.work()
    assert {life.case(name).state for name in (first, second)} == {State.RECOVERED}
    assert life.card(second) == fresh


def test_details_that_come_between_exhaustion_and_email_are_tried_first(begin: Begin) -> None:
    life = begin()
    life.fail("expired_card", "approve")
    life.sandbox.faults.set_probabilities({"lost": 1.0})
    life.mails.answer = "451 greylisted"
    life.run(days=14, hours=1)
    assert life.case().state is State.DUNNING
    life.sandbox.refresh_card(life.card(), exp_month=11, exp_year=2031)
    life.mails.answer = "250 OK"
    life.run(hours=30)
    assert (life.case().state, life.mails.messages) == (State.RECOVERED, [])
