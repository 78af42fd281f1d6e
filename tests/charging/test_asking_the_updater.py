"""Whom the updater is asked about, and who learns what it says: each question is paid for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import cast

from building import Life

from recovery.cases.facts import InvoicePaid
from recovery.cases.lifecycle import State, StepKind
from recovery.cases.obligation import Obligation
from recovery.cases.updating import Closed, Freshness, UpdaterWay
from recovery.cases.wallet import Wallet
from recovery.charging.refresh import RefreshCard
from recovery.declines.signals import Card
from recovery.gateways.port import Gateway
from recovery.storage.step_store import ClaimedStep, claim_steps


class CallsClosed:
    """A gateway whose updater, when it is asked, calls every card closed; ``meanwhile`` happens before it answers."""

    updater = UpdaterWay.ON_DEMAND
    call_bound_seconds = 10.0

    def __init__(self, life: Life, case_id: str, meanwhile: Callable[[], object]) -> None:
        self.asked: list[Card] = []
        self._life = life
        self._case_id = case_id
        self._meanwhile = meanwhile

    def ask_updater(self, card: Card) -> Freshness:
        self.asked.append(card)
        self._meanwhile()
        return Closed()

    def read_owed(self, _: str) -> tuple[Obligation, Wallet]:
        return self._life.owed(self._case_id), Wallet(default=self._life.case(self._case_id).card)


def taken(life: Life, case_id: str) -> ClaimedStep:
    """The planned reading of the card, begun."""
    with life.wiring.database.begin() as tx:
        steps = claim_steps(tx, (StepKind.REFRESH_CARD,), moment=life.door.moment(), limit=10, lease_seconds=600)
    return next(step for step in steps if step.case_id == case_id)


def refreshed(life: Life, case_id: str, step: ClaimedStep, meanwhile: Callable[[], object] = str) -> list[Card]:
    """Perform it; about whom the updater was asked."""
    gateway = CallsClosed(life, case_id, meanwhile)
    RefreshCard(life.door, cast(Gateway, gateway))(step)
    return gateway.asked


def test_it_is_asked_about_a_dead_card_while_the_case_is_open(life: Life) -> None:
    case_id = life.fail("in_1", code="expired_card")
    assert refreshed(life, case_id, taken(life, case_id)) == [life.case(case_id).card]
    assert life.case(case_id).state is State.DUNNING


def paid_otherwise(life: Life, case_id: str) -> None:
    """An hour later the customer pays with another card: this one stays dead."""
    life.at += timedelta(hours=1)
    paid = life.paid_by(case_id)
    assert paid.card is not None
    other = replace(paid, card=replace(paid.card, payment_method="pm_other", fingerprint="fp_other"))
    life.tell(case_id, InvoicePaid(obligation_id=life.owed(case_id).id, charges=(other,), at=life.at))
    assert life.case(case_id).state is State.RECOVERED


def test_nobody_is_asked_for_a_case_that_has_ended(life: Life) -> None:
    """Seed 121397: it was paid while its reading was under way, which was taken up again afterwards."""
    case_id = life.fail("in_1", code="expired_card")
    step = taken(life, case_id)
    paid_otherwise(life, case_id)
    assert refreshed(life, case_id, step) == []


def test_what_it_says_is_known_to_the_customers_other_cases_though_this_one_ends_meanwhile(life: Life) -> None:
    """Only the entry was dead, which was mistyped; what is closed is the account."""
    case_id = life.fail("in_1", code="incorrect_cvc", customer="cus_1")
    other = life.fail("in_2", customer="cus_1")
    closed = life.case(case_id).card
    assert closed is not None
    assert not life.case(other).is_dead(closed)
    step = taken(life, case_id)
    assert refreshed(life, case_id, step, lambda: paid_otherwise(life, case_id)) == [closed]
    assert life.case(other).is_dead(closed)
