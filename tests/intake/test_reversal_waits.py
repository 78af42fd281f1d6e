"""A refund that is heard of before its payment is booked waits for it, whoever made the payment."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from building import Life, _card

from recovery.cases.answers import AlreadySettled, Unknown
from recovery.cases.facts import AttemptAnswered, CardRefreshed, InvoicePaid
from recovery.cases.lifecycle import State, StepKind
from recovery.cases.obligation import Charge, Obligation, ObligationStatus
from recovery.engine.advance import advance
from recovery.gateways.port import Gateway, Reversal
from recovery.intake.outcome import Done, Held
from recovery.intake.reversals import reversal_seen
from recovery.money import Money


@dataclass
class Knows:
    """A gateway that knows one invoice and one refund of its payment."""

    owed: Obligation
    refund: Reversal

    def obligation_of(self, *, charge: str) -> str:
        assert charge == self.refund.charge_id
        return self.owed.id

    def read_obligation(self, name: str) -> Obligation:
        assert name == self.owed.id
        return self.owed

    def read_reversals(self, charge: str) -> tuple[tuple[Reversal, ...], tuple[Reversal, ...]]:
        assert charge == self.refund.charge_id
        return (self.refund,), ()


def _refund(owed: Obligation, paid: Charge, at: datetime) -> Reversal:
    return Reversal(
        id="re_1",
        obligation=owed.id,
        charge_id=paid.id,
        amount=Money(minor=100, currency="usd"),
        status="succeeded",
        occurred_at=at,
    )


def test_it_does_not_wait_for_a_payment_from_before_the_failure(life: Life) -> None:
    """Seed 111438: a part was paid before the failure that opened the case, and no case ever counts it."""
    case_id = life.fail("in_1")
    earlier = replace(life.paid_by(case_id), created_at=life.case(case_id).failed_at - timedelta(seconds=10))
    owed = life.owed(case_id)
    left = replace(owed, charges=(*owed.charges, earlier))
    told = reversal_seen(
        life.door, cast(Gateway, Knows(left, _refund(left, earlier, life.at))), earlier.id, told_at=life.at
    )
    assert told == Done("not a recovered charge")


def test_it_waits_until_the_invoice_was_read_again_after_an_open_attempt(life: Life) -> None:
    """The customer paid while an attempt was open. Its settling leaves the invoice to be read again: only then it is booked."""
    case_id = life.fail("in_1")
    life.attempt(case_id, Unknown(detail="timeout"))
    theirs = replace(life.paid_by(case_id), initiator=None)  # as a listing tells it: it may be ours
    attempt = life.case(case_id).open_attempt
    assert attempt is not None
    paid = replace(life.owed(case_id), status=ObligationStatus.PAID, paid_at=life.at, charges=(theirs,))
    gateway = cast(Gateway, Knows(paid, _refund(paid, theirs, life.at)))
    life.tell(case_id, InvoicePaid(obligation_id=paid.id, charges=(theirs,), at=life.at))
    assert isinstance(reversal_seen(life.door, gateway, theirs.id, told_at=life.at), Held)
    settled = AlreadySettled(detail="the invoice is paid, and not by this attempt")
    life.tell(case_id, AttemptAnswered(attempt_id=attempt.id, answer=settled))
    assert life.case(case_id).state is State.SILENT
    assert isinstance(reversal_seen(life.door, gateway, theirs.id, told_at=life.at), Held)
    step = life._claim(case_id, StepKind.REFRESH_CARD)
    advance(life.door, case_id, CardRefreshed(obligation=paid, card=_card(paid.id), step_id=step.id), step=step)
    told = reversal_seen(life.door, gateway, theirs.id, told_at=life.at)
    assert isinstance(told, Done)
    assert told.detail == f"1 entries booked for {case_id}"
