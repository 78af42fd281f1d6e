"""Webhooks that are lost, doubled, reordered, late or early: the end is the same."""

import json
import time

import pytest
from story_house import SECRET, Ways
from story_support import Begin

from recovery.cases.lifecycle import Source, State, StepKind
from recovery.simulation.sandbox import PayFault

pytest_plugins = ["story_fixtures"]


def test_without_any_webhook_our_own_readings_bring_the_right_end(begin: Begin) -> None:
    life = begin()
    life.fail("insufficient_funds", "insufficient_funds", "approve")
    life.lose_webhooks()
    life.run(days=20)
    case = life.case()
    assert (case.state, case.source, len(case.attempts)) == (State.RECOVERED, Source.SILENT_RETRY, 2)


def test_without_any_webhook_a_customer_who_paid_is_not_written_off(begin: Begin) -> None:
    life = begin()
    life.fail("lost_card")
    life.lose_webhooks()
    better = life.sandbox.make_card(life.customer(), ["approve"], default=False)
    life.run(days=2)
    life.sandbox.customer_pays(life.invoice, method=better)
    life.run(days=20)
    assert life.case().source is Source.CUSTOMER_AFTER_EMAIL
    assert life.booked() == {"at_risk": 4900, "recovered": 4900}


@pytest.mark.parametrize(
    ("probabilities", "seconds"),
    [
        ({"doubled": 1.0}, {}),
        ({"reordered": 0.5}, {"reordered": 0.05}),
        ({"late_business": 0.6, "doubled": 0.4}, {"late_business": 2 * 86400.0}),
    ],
    ids=["doubled", "reordered", "two days late"],
)
def test_however_webhooks_arrive_the_end_is_the_same(
    begin: Begin, probabilities: dict[str, float], seconds: dict[str, float]
) -> None:
    life = begin()
    life.sandbox.faults.set_probabilities(probabilities, seed=7, seconds=seconds)
    life.fail("insufficient_funds", "insufficient_funds", "approve")
    life.run(days=25)
    case = life.case()
    assert (case.state, case.source, len(case.attempts)) == (State.RECOVERED, Source.SILENT_RETRY, 2)
    assert life.mails.messages == []


def test_our_webhook_may_come_before_our_answer(begin: Begin) -> None:
    life = begin()
    life.fail("insufficient_funds", "approve")
    life.run_to_step(StepKind.CHARGE_CARD)
    life.sandbox.faults.queue([PayFault(kind="slow", seconds=2.0)])
    with life.working() as worker:
        ends_at = time.monotonic() + 20
        while life.case().state is not State.RECOVERED and time.monotonic() < ends_at:
            life.wiring.process_events()
            time.sleep(0.01)
        early = worker.is_alive()
    assert early, "the answer was quicker than the webhook"
    life.run(days=1)
    assert life.case().source is Source.SILENT_RETRY
    assert life.booked() == {"at_risk": 4900, "recovered": 4900}


def test_a_webhook_posted_twice_is_acknowledged_twice_and_stored_once(begin: Begin) -> None:
    life = begin()
    life.fail("insufficient_funds", "approve")
    event = next(iter(life.sandbox.core.store.newest("event")))
    answers = [life.post_raw(json.dumps(event).encode()) for _ in range(2)]
    assert [(a.status_code, a.json()) for a in answers] == [(200, {"received": "known"})] * 2
    before = len(life.file().timeline)
    life.work()
    assert len(life.file().timeline) == before


def test_the_whole_history_told_again_under_new_names_changes_no_money(begin: Begin) -> None:
    life = begin()
    life.fail("insufficient_funds", "approve")
    life.run(days=20)
    life.sandbox.refund(life.invoice, amount_minor=900)
    life.work()
    booked, tries = life.file().bookings, life.tries()
    for number, event in enumerate(list(life.sandbox.core.store.newest("event"))):
        answer = life.post_raw(json.dumps(event | {"id": f"evt_again{number}"}).encode())
        assert answer.status_code == 200
    life.run(days=5)
    assert life.file().bookings == booked
    assert life.tries() == tries
    assert life.case().state is State.RECOVERED


@pytest.mark.parametrize("signed_with", [SECRET, "whsec_new"])
def test_while_a_secret_is_replaced_both_are_good(begin: Begin, signed_with: str) -> None:
    life = begin(ways=Ways(secrets=f"whsec_new,{SECRET}", signed_with=signed_with))
    life.fail("insufficient_funds", "approve")
    life.run(days=5)
    assert life.case().state is State.RECOVERED
    assert life.post("invoice.paid", {"id": life.invoice}, secret="whsec_foreign").status_code == 400
    assert life.told("invoice.paid") != []
