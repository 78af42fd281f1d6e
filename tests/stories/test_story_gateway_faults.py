"""A gateway that hangs, fails, refuses or answers late: one charge at most, and the case goes on."""

import time

import pytest
from story_house import HASTY, Ways
from story_support import Begin, Killed, Life

from recovery.cases.answers import Answer
from recovery.cases.lifecycle import AttemptStatus, Source, State, StepKind
from recovery.gateways.port import ChargeOrder, Gateway
from recovery.simulation.sandbox import PayFault
from recovery.storage.flag_store import CHARGING_HALTED, lower_flag

pytest_plugins = ["story_fixtures"]

heard_or_not = pytest.mark.parametrize("heard", [True, False], ids=["heard", "webhooks lost"])
UNHEARD_SECONDS = 2.0
"""How much later a charge lands: longer than settling it takes, even on a busy machine."""


def _before_the_try(life: Life, *faults: PayFault, heard: bool = True) -> None:
    """The second charge, ours, is about to meet these faults."""
    life.fail("insufficient_funds", "approve")
    life.sandbox.faults.queue(faults)
    life.run_to_step(StepKind.CHARGE_CARD)
    if not heard:
        life.lose_webhooks()


def _statuses(life: Life) -> list[AttemptStatus]:
    return [attempt.status for attempt in life.case().attempts]


@heard_or_not
def test_a_charge_whose_answer_never_comes_is_settled_as_paid(begin: Begin, heard: bool) -> None:
    life = begin(ways=Ways(patience=HASTY))
    _before_the_try(life, PayFault(kind="charge_then_hang", seconds=0.8), heard=heard)
    life.run(minutes=5)
    assert _statuses(life) == [AttemptStatus.SUCCEEDED], "settled at once, not found out at the next try"
    life.run(days=5)
    assert life.case().source is Source.SILENT_RETRY
    assert "unknown" in life.reasons()


@heard_or_not
def test_a_charge_answered_by_an_error_is_settled_as_paid(begin: Begin, heard: bool) -> None:
    life = begin()
    _before_the_try(life, PayFault(kind="charge_then_500"), heard=heard)
    life.run(minutes=5)
    assert _statuses(life) == [AttemptStatus.SUCCEEDED], "settled at once, not found out at the next try"
    life.run(days=5)
    assert life.case().source is Source.SILENT_RETRY


def test_an_error_without_a_charge_is_tried_again_under_a_new_key(begin: Begin) -> None:
    life = begin()
    _before_the_try(life, PayFault(kind="server_error"))
    life.run(days=5)
    assert life.case().source is Source.SILENT_RETRY
    assert _statuses(life) == [AttemptStatus.NOT_SENT, AttemptStatus.SUCCEEDED]
    assert [e.idempotency_key for e in life.sandbox.ledger.succeeded()] == [f"{life.case().id}-2"]


def test_a_connection_that_breaks_once_is_repeated_under_the_same_key(begin: Begin) -> None:
    life = begin()
    _before_the_try(life, PayFault(kind="reset_before"))
    life.run(hours=1)
    assert _statuses(life) == [AttemptStatus.SUCCEEDED]


def test_a_connection_that_breaks_before_every_charge_is_tried_again_later(begin: Begin) -> None:
    life = begin()
    _before_the_try(life, *[PayFault(kind="reset_before")] * 3)
    life.work()
    assert _statuses(life) == [AttemptStatus.UNKNOWN]
    life.run(days=5)
    assert _statuses(life) == [AttemptStatus.NOT_SENT, AttemptStatus.SUCCEEDED]
    assert life.case().source is Source.SILENT_RETRY


@heard_or_not
def test_a_connection_that_breaks_after_the_charge_is_one_charge(begin: Begin, heard: bool) -> None:
    life = begin()
    _before_the_try(life, PayFault(kind="reset_after"), heard=heard)
    life.run(days=5)
    assert _statuses(life) == [AttemptStatus.SUCCEEDED]


@heard_or_not
def test_a_charge_that_lands_after_it_was_settled_as_never_made(begin: Begin, heard: bool) -> None:
    life = begin(ways=Ways(patience=HASTY))
    _before_the_try(life, PayFault(kind="late_charge", seconds=UNHEARD_SECONDS), heard=heard)
    life.run(minutes=5)
    assert _statuses(life) == [AttemptStatus.NOT_SENT], "settled before the charge landed"
    life.answered()
    life.run(days=5)
    assert _statuses(life) == [AttemptStatus.SUCCEEDED]
    assert life.case().source is Source.SILENT_RETRY


@pytest.mark.parametrize("faults", [1, 3])
def test_a_limited_rate_costs_no_budget(begin: Begin, faults: int) -> None:
    life = begin()
    _before_the_try(life, *[PayFault(kind="rate_limited")] * faults)
    life.work()
    assert _statuses(life) == [AttemptStatus.NOT_SENT]
    assert life.count("SELECT count(*) FROM attempts WHERE counts") == 0
    assert "budget is released" in life.reasons()
    life.run(days=5)
    assert _statuses(life) == [AttemptStatus.NOT_SENT] * faults + [AttemptStatus.SUCCEEDED]
    assert life.count("SELECT count(*) FROM attempts WHERE counts") == 1


def test_a_call_in_progress_elsewhere_is_asked_for_again(begin: Begin) -> None:
    life = begin()
    _before_the_try(life, PayFault(kind="conflict"))
    life.run(hours=1)
    assert _statuses(life) == [AttemptStatus.SUCCEEDED]


def test_a_call_that_stays_in_progress_is_settled_by_reading(begin: Begin) -> None:
    life = begin()
    _before_the_try(life, *[PayFault(kind="conflict")] * 3)
    life.run(days=5)
    assert _statuses(life) == [AttemptStatus.NOT_SENT, AttemptStatus.SUCCEEDED]


@pytest.mark.parametrize("kind", ["unauthorized", "forbidden"])
def test_a_refused_key_halts_all_charging_until_a_person_resumes_it(begin: Begin, kind: str) -> None:
    life = begin()
    _before_the_try(life, PayFault(kind=kind))  # type: ignore[arg-type]
    life.run(days=3)
    assert CHARGING_HALTED in life.flags()
    assert _statuses(life) == [AttemptStatus.MISCONFIGURED]
    assert life.tries() == []
    with life.wiring.database.begin() as tx:
        lower_flag(tx, CHARGING_HALTED)
    life.run(days=3)
    assert _statuses(life) == [AttemptStatus.MISCONFIGURED, AttemptStatus.SUCCEEDED]


def test_a_call_that_gets_through_after_many_refusals_is_left_to_a_person(begin: Begin) -> None:
    life = begin()
    _before_the_try(life, *[PayFault(kind="rate_limited")] * 8)
    life.run(days=7)  # the waits double, and a weekend and a bank holiday lie between
    assert life.case().state is State.REVIEW
    assert _statuses(life) == [AttemptStatus.NOT_SENT] * 8
    assert life.tries() == []


def test_a_customer_who_pays_while_our_call_is_under_way_pays_once(begin: Begin) -> None:
    life = begin()
    _before_the_try(life, PayFault(kind="slow", seconds=2.0))
    with life.working():
        ends_at = time.monotonic() + 20
        while "slow" not in life.sandbox.state()["faults_happened"] and time.monotonic() < ends_at:
            time.sleep(0.01)
        assert life.sandbox.customer_pays(life.invoice) is None
    life.forgiven_calls = 1
    life.run(days=5)
    assert life.case().source is Source.CUSTOMER_UNASKED
    assert _statuses(life) == [AttemptStatus.ALREADY_SETTLED]
    assert life.tries() == []


def test_two_workers_at_once_make_one_charge(begin: Begin) -> None:
    life = begin()
    _before_the_try(life)
    with life.working(), life.working(), life.working():
        life.wiring.perform_steps()
    life.work()
    assert _statuses(life) == [AttemptStatus.SUCCEEDED]
    assert len(life.tries()) == 1


class _Deadly:
    """The real gateway, in whose first charge the worker dies, before or after the call."""

    def __init__(self, real: Gateway, *, charged: bool) -> None:
        self._real = real
        self._charged = charged
        self.deaths = 1

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def charge(self, order: ChargeOrder) -> Answer:
        """As the real one, once this worker has died."""
        if self.deaths == 0:
            return self._real.charge(order)
        self.deaths -= 1
        if self._charged:
            self._real.charge(order)
        raise Killed


@heard_or_not
@pytest.mark.parametrize("charged", [True, False], ids=["after the call", "before the call"])
def test_a_worker_that_dies_over_a_charge(begin: Begin, charged: bool, heard: bool) -> None:
    def deadly(real: Gateway) -> Gateway:
        return _Deadly(real, charged=charged)  # type: ignore[return-value]

    life = begin(ways=Ways(gateway=deadly))
    _before_the_try(life, heard=heard)
    with pytest.raises(Killed):
        life.work()
    life.run(days=5)
    assert life.case().source is Source.SILENT_RETRY
    wanted = [AttemptStatus.SUCCEEDED] if charged else [AttemptStatus.NOT_SENT, AttemptStatus.SUCCEEDED]
    assert _statuses(life) == wanted


@pytest.mark.parametrize("heard", [True, False])
def test_a_payment_that_takes_an_hour_is_waited_for(begin: Begin, heard: bool) -> None:
    life = begin()
    life.fail("insufficient_funds", "processing")
    life.run_to_step(StepKind.CHARGE_CARD)
    if not heard:
        life.lose_webhooks()
    life.work()
    assert _statuses(life) == [AttemptStatus.PROCESSING]
    life.run(days=1)
    assert life.case().source is Source.SILENT_RETRY
    assert len(life.tries()) == 1


@pytest.mark.parametrize("heard", [True, False])
def test_a_payment_that_fails_after_an_hour_is_tried_again(begin: Begin, heard: bool) -> None:
    life = begin()
    life.fail("insufficient_funds", "processing_then_insufficient_funds", "approve")
    life.run_to_step(StepKind.CHARGE_CARD)
    if not heard:
        life.lose_webhooks()
    life.run(days=10)
    assert _statuses(life) == [AttemptStatus.DECLINED, AttemptStatus.SUCCEEDED]
    assert life.case().source is Source.SILENT_RETRY
