"""News of cards that comes at the wrong moment, more than once, or says less than it should: one consistent case all the same."""

from dataclasses import dataclass
from typing import Any

from story_house import Ways
from story_support import Begin, Life

from recovery.cases.answers import Answer
from recovery.cases.lifecycle import AttemptStatus, Source, State, StepKind
from recovery.gateways.port import ChargeOrder, Gateway
from recovery.simulation.sandbox.faults import WebhookFault
from recovery.storage.card_history import card_stories

pytest_plugins = ["story_fixtures"]

RENEWED = {"exp_month": 11, "exp_year": 2031}


@dataclass
class Interrupted:
    """The real gateway; right after its first charge something happens, before the worker hears the answer."""

    real: Gateway
    life: Life | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def charge(self, order: ChargeOrder) -> Answer:
        answer, life = self.real.charge(order), self.life
        if life is not None:
            self.life = None
            life.sandbox.faults.queue([WebhookFault(kind="doubled")])
            life.sandbox.refresh_card(order.payment_method, **RENEWED)
            assert life.sandbox.wait_for_webhooks(30)
            assert life.wiring.process_events() > 0
            life.wiring.perform_steps()
        return answer


def _told_of(method: str, customer: str, year: int) -> dict[str, Any]:
    """A payment method as an old event showed it."""
    card = {"exp_month": 1, "exp_year": year, "last4": "4242", "brand": "visa"}
    return {"id": method, "object": "payment_method", "type": "card", "customer": customer, "card": card}


def test_an_update_in_flight_twice_stale_and_after_the_end_leaves_one_consistent_case(begin: Begin) -> None:
    life = begin(ways=Ways(gateway=Interrupted))
    life.fail("insufficient_funds", "expired_card", "approve")
    life.run_to_step(StepKind.CHARGE_CARD)
    interrupted = life.wiring.gateway
    assert isinstance(interrupted, Interrupted)
    interrupted.life = life
    life.work()
    case = life.case()
    assert [a.status for a in case.attempts] == [AttemptStatus.DECLINED, AttemptStatus.SUCCEEDED], life.reasons()
    assert (case.state, case.source) == (State.RECOVERED, Source.REFRESHED_CARD)
    assert case.attempts[1].card.expiry == "11/2031"

    before = life.file()
    assert life.post("payment_method.automatically_updated", _told_of(life.card(), life.customer(), 2024)).is_success
    life.sandbox.refresh_card(life.card(), exp_year=2035)
    life.work()
    after = life.file()
    assert after.case == before.case
    assert after.bookings == before.bookings
    assert life.count("SELECT count(*) FROM cases") == 1
    assert life.mails.messages == []
    assert life.sandbox.ledger.charged_twice() == []


def test_stale_news_changes_nothing_that_was_read_since(begin: Begin) -> None:
    life = begin()
    life.fail("expired_card", "insufficient_funds", "approve")
    life.run(hours=1)
    life.sandbox.refresh_card(life.card(), **RENEWED)
    life.work()
    assert len(life.case().attempts) == 1
    life.post("payment_method.automatically_updated", _told_of(life.card(), life.customer(), 2024))
    life.work()
    case = life.case()
    assert case.card is not None
    assert (len(case.attempts), case.card.expiry) == (1, "11/2031"), "what is true is read, not taken from the event"
    assert case.step(StepKind.CHARGE_CARD) is not None


def test_news_that_names_nothing_but_the_card_or_the_customer_is_heeded(begin: Begin) -> None:
    life = begin()
    life.fail("expired_card", "insufficient_funds", "lost_card", "approve")
    life.run(hours=1)
    life.lose_webhooks()
    card, customer = life.card(), life.customer()

    def thin(kind: str, name: str) -> None:
        related = {"id": name, "type": kind.split(".")[0], "url": "/v1/x"}
        event: dict[str, Any] = {"object": "v2.core.event", "created": life.now.isoformat(), "related_object": related}
        assert life.post(f"v1.{kind}", {}, **event).is_success
        life.work()

    life.sandbox.refresh_card(card, **RENEWED)
    thin("payment_method.automatically_updated", card)
    assert len(life.case().attempts) == 1, life.told("payment_method.automatically_updated")
    life.sandbox.make_card(customer, ["insufficient_funds"], last4="1881")
    thin("customer.updated", customer)
    assert len(life.case().attempts) == 2, life.told("customer.updated")
    unread = life.sandbox.make_card(customer, ["approve"], last4="0004")
    thin("payment_method.attached", unread)
    assert (life.case().state, life.card()) == (State.RECOVERED, unread)


def test_a_card_that_is_hardly_described_is_tried_and_the_gaps_are_on_record(begin: Begin) -> None:
    life = begin()
    life.fail_on(
        ("insufficient_funds", "approve"), country=None, funding="gift", exp_month=13, last4="4242424242424242"
    )
    life.run(days=12)
    assert life.case().state is State.RECOVERED, life.reasons()
    gaps = "funding unusable, country missing, last4 unusable, expiry unusable"
    assert gaps in life.reasons()
    with life.wiring.database.connect() as tx:
        (story,) = card_stories(tx, life.customer())
    assert [gaps in line.what for line in story.lines].count(True) == 1
    assert life.count("SELECT count(*) FROM cases WHERE wallet::text LIKE '%42424242424%'") == 0


def test_a_check_number_corrected_by_the_customer_pays_at_once(begin: Begin) -> None:
    life = begin()
    life.fail_on(("incorrect_cvc",), fingerprint="fp_same")
    assert life.case().state is State.DUNNING
    again = life.sandbox.make_card(life.customer(), ["approve"], fingerprint="fp_same", default=True)
    life.work()
    assert (life.case().state, life.card()) == (State.RECOVERED, again), life.reasons()


def test_a_corrected_address_brings_its_own_entry_back_once(begin: Begin) -> None:
    life = begin()
    life.fail_on(("incorrect_zip", "approve"))
    card = life.card()
    assert life.case().state is State.DUNNING
    life.sandbox.correct_address(card, postal_code="00000", rightly=False)
    life.work()
    assert [a.status for a in life.case().attempts] == [AttemptStatus.DECLINED], life.reasons()
    life.run(hours=1)
    life.sandbox.correct_address(card)
    life.work()
    assert len(life.case().attempts) == 1, "each entry comes back once: a nightly sync of addresses is no new card"
    with life.wiring.database.connect() as tx:
        (story,) = card_stories(tx, life.customer())
    assert [line.what for line in story.lines].count("its billing address was changed") == 2
    assert life.count("SELECT count(*) FROM events WHERE content::text LIKE '%94110%'") == 0


def test_a_corrected_address_pays_at_once_although_its_news_comes_twice(begin: Begin) -> None:
    life = begin()
    life.fail_on(("incorrect_zip", "approve"))
    card = life.card()
    life.sandbox.faults.queue([WebhookFault(kind="doubled")])
    life.sandbox.correct_address(card)
    life.work()
    case = life.case()
    assert (case.state, case.source, life.card()) == (State.RECOVERED, Source.CUSTOMER_AFTER_EMAIL, card), (
        life.reasons()
    )
    assert "payment method updated, its billing address" in life.reasons()
    assert "its billing address was corrected" in life.reasons()
    assert life.sandbox.ledger.charged_twice() == []
