"""``recovery why``: each kind of decision names the rule it rests on, in its own words."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from building import MONDAY, Life, wired
from commanding import Run

from recovery.cases import facts
from recovery.cases.customer_facts import CustomerLeft, DateWished, MailStopped
from recovery.cases.lifecycle import State, StepKind
from recovery.cases.money_facts import DisputeClosed, DisputeOpened, FeeCharged, PaymentRefunded
from recovery.engine.advance import advance
from recovery.money import Money
from recovery.runtime.clock import SharedClock

pytest_plugins = ["command_fixtures"]


@pytest.fixture
def life(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Life]:
    SharedClock(tmp_path / "clock").set(MONDAY)
    monkeypatch.setenv("RECOVERY_CLOCK_FILE", str(tmp_path / "clock"))
    monkeypatch.setenv("RECOVERY_DATABASE_URL", database_url.replace("+psycopg", ""))
    with wired(database_url) as wiring:
        yield Life(wiring)


def _asked(life: Life, invoice: str) -> str:
    case_id = life.fail(invoice, code="lost_card")
    life.refresh(case_id)
    return case_id


def _letter(life: Life, case_id: str, *, refused: bool = False) -> None:
    step = life._claim(case_id, StepKind.SEND_EMAIL)
    due = facts.EmailDue(obligation=life.owed(case_id), step_id=step.id)
    email_id = advance(life.door, case_id, due, step=step).email_id
    assert email_id is not None
    later = facts.EmailRefused(email_id=email_id, detail="451", permanent=False)
    advance(life.door, case_id, later if refused else facts.EmailSent(email_id=email_id), step=step)


def _why(run: Run, case_id: str) -> list[tuple[str, str]]:
    """Each fact with the rule of its decision; the words for reading and the values must say the same."""
    lines = json.loads(run("why", case_id, "--json").out)["timeline"]
    told = [(line["fact"], line["grounds"]["rule"]) for line in lines]
    words = " ".join(run("why", case_id).out.split())
    for fact, rule in told:
        assert re.search(rf"{fact} →.*? rule {re.escape(rule)} ·", words), f"{fact}: no word of {rule} in {words}"
    return told


def test_why_tells_by_which_rule_each_letter_was_decided(life: Life, run: Run) -> None:
    case_id = _asked(life, "in_1")
    _letter(life, case_id, refused=True)
    _letter(life, case_id)
    life.tell(case_id, DateWished(wished_at=life.at + timedelta(days=2)))
    life.tell(case_id, MailStopped(why="the address bounced"))
    life.tell(case_id, CustomerLeft(because="unused"))
    assert _why(run, case_id) == [
        ("PaymentFailed", "lifecycle, silent"),
        ("CardRefreshed", "exhausted by never_again"),
        ("EmailDue", "campaign new_card, letter 1"),
        ("EmailRefused", "campaign new_card, letter 1"),
        ("EmailDue", "campaign new_card, letter 1"),
        ("EmailSent", "campaign new_card, letter 2"),
        ("DateWished", "lifecycle, dunning"),
        ("MailStopped", "lifecycle, dunning"),
        ("CustomerLeft", "lifecycle, dunning to withdrawn"),
    ]


def test_why_tells_by_which_rule_a_person_must_look(life: Life, run: Run) -> None:
    case_id = life.fail("in_2", pays_by_card=False)
    step = life._claim(case_id, StepKind.ESCALATE)
    advance(life.door, case_id, facts.EscalationDue(step_id=step.id), step=step)
    life.tell(case_id, facts.PersonDecided(to=State.WITHDRAWN, note="by hand", decided_at=life.at))
    assert _why(run, case_id) == [
        ("PaymentFailed", "lifecycle, silent to review"),
        ("EscalationDue", "lifecycle, review"),
        ("PersonDecided", "lifecycle, review to withdrawn"),
    ]


def test_why_tells_by_which_rule_money_was_booked(life: Life, run: Run) -> None:
    case_id = _asked(life, "in_3")
    life.pay_part(case_id, 1000)
    charge = life.pay(case_id)
    paid: dict[str, Any] = {"charge_id": charge, "amount": Money(minor=900, currency="usd"), "at": life.at}
    life.tell(case_id, PaymentRefunded(refund_id="re_1", **paid))
    life.tell(case_id, DisputeOpened(dispute_id="dp_1", **paid))
    life.tell(case_id, DisputeClosed(dispute_id="dp_1", won=True, **paid))
    life.tell(case_id, FeeCharged(ref="ch_fee", **paid))
    assert _why(run, case_id) == [
        ("PaymentFailed", "lifecycle, silent"),
        ("CardRefreshed", "exhausted by never_again"),
        ("PartPaid", "booked as recovered"),
        ("InvoicePaid", "lifecycle, dunning to recovered"),
        ("PaymentRefunded", "booked as refunded"),
        ("DisputeOpened", "booked as dispute_opened"),
        ("DisputeClosed", "booked as dispute_won"),
        ("FeeCharged", "booked as fee"),
    ]
