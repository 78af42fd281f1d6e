"""A worker that was held up between its intent and its call sends nothing: others may believe by then that it never will."""

from datetime import datetime, timedelta
from typing import cast

import pytest
from building import Life
from sqlalchemy import event

from recovery.cases.answers import Answer
from recovery.cases.lifecycle import AttemptStatus, StepKind
from recovery.cases.obligation import Obligation
from recovery.cases.wallet import Wallet
from recovery.charging.breaker import Breaker
from recovery.charging.charge import ChargeCard
from recovery.engine.advance import SEND_WITHIN_SECONDS
from recovery.engine.door import Door
from recovery.gateways.port import ChargeOrder, Gateway
from recovery.runtime.clock import machine_now
from recovery.storage.step_store import claim_steps


class Refuses:
    """A gateway that shows one invoice with one card, and declines it."""

    call_bound_seconds = 10.0

    def __init__(self, life: Life, case_id: str) -> None:
        self.sent: list[str] = []
        self._life = life
        self._case_id = case_id

    def read_owed(self, _: str) -> tuple[Obligation, Wallet]:
        return self._life.owed(self._case_id), Wallet(default=self._life.case(self._case_id).card)

    def charge(self, order: ChargeOrder) -> Answer:
        self.sent.append(order.key)
        return self._life.declined()


@pytest.mark.parametrize(("held_up", "sent"), [(0.0, True), (SEND_WITHIN_SECONDS + 1, False)])
def test_a_call_begins_soon_after_its_intent_or_not_at_all(life: Life, held_up: float, sent: bool) -> None:
    case_id = life.fail("in_1")
    life.refresh(case_id)
    planned = life.case(case_id).step(StepKind.CHARGE_CARD)
    assert planned is not None
    life.at = planned.due_at
    late = timedelta(0)

    def machine_clock() -> datetime:
        return machine_now() + late

    door = Door(
        database=life.wiring.database, rulebook=life.door.rulebook, clock=lambda: life.at, machine_clock=machine_clock
    )
    with life.wiring.database.begin() as tx:
        (step,) = claim_steps(tx, (StepKind.CHARGE_CARD,), moment=door.moment(), limit=1, lease_seconds=600)

    def slow_commit(_: object) -> None:
        nonlocal late
        late = timedelta(seconds=held_up)

    event.listen(life.wiring.database, "commit", slow_commit)
    gateway = Refuses(life, case_id)
    ChargeCard(door, cast(Gateway, gateway), Breaker(machine_clock))(step)
    (attempt,) = life.case(case_id).attempts
    assert gateway.sent == ([attempt.id] if sent else [])
    assert attempt.status is (AttemptStatus.DECLINED if sent else AttemptStatus.NOT_SENT)
