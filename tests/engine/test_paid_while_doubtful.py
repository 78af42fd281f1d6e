"""A payment that might have been ours, told while an attempt was open on a case that had ended: it is booked once that is refused."""

from dataclasses import replace

import pytest
from building import Life
from sqlalchemy import select

from recovery.cases import facts
from recovery.cases.answers import NotSent, Unknown
from recovery.cases.lifecycle import EntryKind, State, StepKind
from recovery.cases.obligation import ObligationStatus
from recovery.money import Money
from recovery.storage import tables


@pytest.mark.parametrize("end", ["declined", "not sent"])
def test_it_is_booked_when_the_attempt_turns_out_refused(life: Life, end: str) -> None:
    case_id = life.fail("in_1")
    attempt, _ = life.begin(case_id)
    life.tell(case_id, facts.AttemptAnswered(attempt_id=attempt.id, answer=Unknown(detail="timeout")))
    life.tell(case_id, facts.SubscriptionCancelled(subscription="sub_in_1", at=life.at))
    assert life.case(case_id).state is State.WITHDRAWN
    charge = replace(
        life.paid_by(case_id), initiator=None, card=attempt.card
    )  # on the invoice's page, with the same card
    life.tell(case_id, facts.InvoicePaid(obligation_id="in_1", charges=(charge,), at=life.at))
    answer = life.declined() if end == "declined" else NotSent(detail="no trace")
    life.tell(case_id, facts.AttemptAnswered(attempt_id=attempt.id, answer=answer))
    case = life.case(case_id)
    if case.step(StepKind.REFRESH_CARD) is not None:
        paid = replace(
            life.owed(case_id),
            status=ObligationStatus.PAID,
            remaining=Money(minor=0, currency="usd"),
            charges=(charge,),
        )
        life.tell(case_id, facts.CardRefreshed(obligation=paid, card=None, step_id=99))
    with life.wiring.database.connect() as tx:
        kinds = tx.execute(select(tables.ledger.c.kind)).scalars().all()
    assert EntryKind.RECOVERED.value in kinds, f"the money is nowhere: {kinds}"
    assert life.case(case_id).state is State.RECOVERED
