"""Charges of others count against the card whatever became of our own tries, on a real database."""

from dataclasses import replace
from datetime import timedelta

import pytest
from building import Life

from recovery.cases.answers import Declined, NotSent
from recovery.cases.facts import PaymentFailed
from recovery.cases.obligation import ChargeStatus
from recovery.declines.signals import Initiator, Signals
from recovery.storage.card_store import card_use


@pytest.mark.parametrize("key", [None, "another-app-s-key"])
def test_a_charge_of_others_counts_after_a_try_of_ours_that_was_never_sent(life: Life, key: str | None) -> None:
    """A try without a charge has no charge's id, and a charge of others has no key: that made the one pass for the other."""
    case_id = life.fail("in_1")
    life.attempt(case_id, NotSent(detail="the network was away"))
    life.at += timedelta(hours=1)
    refused = {"status": ChargeStatus.FAILED, "signals": Signals(decline_code="do_not_honor"), "idempotency_key": key}
    theirs = replace(life.paid_by(case_id, initiator=Initiator.CUSTOMER), **refused)  # type: ignore[arg-type]
    life.tell(case_id, PaymentFailed(charge=theirs, obligation=life.owed(case_id)))
    card = life.case(case_id).card
    assert card is not None
    with life.wiring.database.connect() as tx:
        uses = card_use(tx, card.budget_key, now=life.at).uses
    assert [use.by_customer for use in uses] == [False, True], "the first failure, and theirs"


@pytest.mark.parametrize(("told_id", "read_key"), [("ch_ours", False), (None, True)], ids=["by its id", "by its key"])
def test_a_refused_try_of_ours_that_a_reading_shows_again_counts_once(
    life: Life, told_id: str | None, read_key: bool
) -> None:
    """An answer need not name its charge, nor a charge the key that made it: one of them tells whose it was."""
    case_id = life.fail("in_1")
    refused = Signals(decline_code="insufficient_funds")
    attempt = life.attempt(case_id, Declined(signals=refused, charge_id=told_id)).case.attempts[-1]
    life.at += timedelta(hours=1)
    failed = {"status": ChargeStatus.FAILED, "signals": refused}
    theirs = replace(life.paid_by(case_id, initiator=Initiator.CUSTOMER), **failed)  # type: ignore[arg-type]
    ours = replace(theirs, id="ch_ours", idempotency_key=attempt.id if read_key else None, initiator=None)
    shown = replace(life.owed(case_id), charges=(ours, theirs))
    life.tell(case_id, PaymentFailed(charge=theirs, obligation=shown))
    card = life.case(case_id).card
    assert card is not None
    with life.wiring.database.connect() as tx:
        assert len(card_use(tx, card.budget_key, now=life.at).uses) == 3, "the first, ours, theirs"
