"""Who is credited with a payment, and how much was at risk when less came than was known to be owed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cases_support import OPEN_HOUR, asked, charge, opened, told

from recovery.cases import facts
from recovery.cases.lifecycle import EntryKind, Source
from recovery.cases.obligation import ChargeStatus
from recovery.declines.signals import Initiator
from recovery.money import Money


@pytest.mark.parametrize(("hours", "source"), [(-1, Source.CUSTOMER_UNASKED), (1, Source.CUSTOMER_AFTER_EMAIL)])
def test_a_letter_is_credited_only_with_what_was_paid_after_it(hours: int, source: Source) -> None:
    at = OPEN_HOUR + timedelta(hours=hours)
    made = charge("ch_2", ChargeStatus.SUCCEEDED, created_at=at, initiator=Initiator.CUSTOMER)
    case = replace(asked(opened()), emailed_at=OPEN_HOUR)
    heard = facts.InvoicePaid(obligation_id="in_1", charges=(made,), at=at)
    decision = told(case, heard, now=OPEN_HOUR + timedelta(hours=2))
    assert [entry.source for entry in decision.entries if entry.kind is EntryKind.RECOVERED] == [source]


def test_what_was_credited_before_anybody_read_it_was_not_at_risk() -> None:
    less = Money(minor=3000, currency="usd")
    made = charge("ch_2", ChargeStatus.SUCCEEDED, amount=less, created_at=OPEN_HOUR, initiator=Initiator.CUSTOMER)
    decision = told(opened(), facts.InvoicePaid(obligation_id="in_1", charges=(made,), at=OPEN_HOUR))
    changes = [entry.amount for entry in decision.entries if entry.kind is EntryKind.AT_RISK_CHANGED]
    assert changes == [less]
