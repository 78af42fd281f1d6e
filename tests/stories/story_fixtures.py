"""The fixture that starts a story's life, and the judge that looks at it when it is over.

Without the judge each story would check only what it thought of. The gateway's own book is the witness.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from story_house import Ways, house
from story_support import Begin, Life, Mails

from recovery.cases.lifecycle import OPEN, State
from recovery.simulation.sandbox import SandboxOptions
from recovery.storage.case_queries import CaseFile

USUAL = Ways()


@pytest.fixture
def begin(database_url: str, tmp_path: Path, smtp_catcher: Mails) -> Iterator[Begin]:
    """Starts the story's life; it is judged when the story is over."""
    lives: list[Life] = []
    with ExitStack() as stack:

        def start(*, ways: Ways = USUAL, **options: Any) -> Life:
            made = house(
                database_url, tmp_path, smtp_port=smtp_catcher.port, ways=ways, options=SandboxOptions(**options)
            )
            lives.append(Life(house=stack.enter_context(made), mails=smtp_catcher))
            return lives[-1]

        yield start
        for life in lives:
            life.answered()
            life.work()
            judge(life)


def judge(life: Life) -> None:
    """What must be true at the end of every life, whatever happened in it."""
    with life.wiring.database.connect() as tx:
        ids = list(tx.execute(text("SELECT obligation FROM cases ORDER BY id")).scalars())
    for invoice in ids:
        _judge_money(life, life.file(invoice))
        _judge_emails(life, life.file(invoice))
        _judge_calls(life, life.file(invoice))
    assert life.sandbox.ledger.charged_twice() == []
    assert len(life.mails.messages) == life.count("SELECT count(*) FROM emails WHERE status = 'sent'") + life.ambiguous
    assert life.count("SELECT count(*) FROM events WHERE state = 'set_aside'") == 0
    assert life.count("SELECT count(*) FROM steps WHERE failures > 0") == 0, "a step failed"
    refused = [one for one in life.sandbox.ledger.refused if one.initiator == "engine"]
    assert len(refused) == life.forgiven_calls, f"calls on what was settled already: {refused}"


def _judge_money(life: Life, file: CaseFile) -> None:
    invoice = file.case.obligation
    charged = {e.charge: e for e in life.sandbox.ledger.succeeded() if e.invoice == invoice}
    booked = {line.ref: line for line in file.bookings if line.kind == "recovered"}
    assert {r: line.amount.minor for r, line in booked.items()} == {c: e.amount_minor for c, e in charged.items()}
    whose = {
        # A card that the customer chose unasked is charged by us and is the customer's doing.
        "engine": {"silent_retry", "refreshed_card", "backup_card", "customer_after_email", "customer_unasked"},
        "customer": {"customer_after_email", "customer_unasked"},
        "gateway": {"gateway_retry"},
    }
    for ref, line in booked.items():
        assert line.amount.currency == charged[ref].currency
        assert line.source in whose[charged[ref].initiator], f"{ref} by {charged[ref].initiator} is {line.source}"
        assert abs(line.occurred_at - charged[ref].at) < timedelta(seconds=5), "booked on another day"
    kinds = {"refund": "refunded"}
    moved = [(kinds.get(m.kind, m.kind), m.id, m.amount_minor) for m in life.sandbox.ledger.movements]
    ours = [(b.kind, b.ref, b.amount.minor) for b in file.bookings]
    assert all(m in ours for m in moved if m[1].startswith(("re_", "dp_")) and _concerns(life, m[1], invoice))
    if life.sandbox.read(invoice)["status"] == "paid":
        assert file.case.state is (State.RECOVERED if charged else State.WITHDRAWN)


def _concerns(life: Life, movement: str, invoice: str) -> bool:
    return any(m.id == movement and m.invoice == invoice for m in life.sandbox.ledger.movements)


def _judge_emails(life: Life, file: CaseFile) -> None:
    gone = [email for email in file.emails if email.status in ("sent", "ambiguous")]
    assert len({email.letter for email in gone}) == len(gone), "a letter went out twice"
    used_up = file.case.exhausted
    assert all(used_up is not None and email.begun_at >= used_up.at for email in file.emails)
    named = [caught for caught in life.mails.messages if f"<{file.case.id}-mail-" in caught.message["Message-ID"]]
    assert len(named) <= len(gone), "an email that nobody remembers"
    address = life.sandbox.read(file.case.customer)["email"]
    assert all(caught.recipients == (address,) for caught in named)


def _judge_calls(life: Life, file: CaseFile) -> None:
    case = file.case
    waiting = [step for step in file.steps if step.state in ("planned", "in_flight")]
    if case.state in OPEN:
        assert waiting, "an open case without a wake-up"
    else:
        assert {step.kind for step in waiting} <= {"settle_attempt", "refresh_card", "ask_reason"}, (
            "an ended case goes on"
        )
    assert case.open_attempt is None or waiting
    known = {attempt.id: attempt for attempt in case.attempts}
    for entry in life.sandbox.ledger.entries:
        if entry.invoice == case.obligation and entry.initiator == "engine":
            attempt = known[entry.idempotency_key or ""]
            assert attempt.amount.minor == entry.amount_minor, "charged what was not asked for"
            assert attempt.card.payment_method == entry.payment_method
            if entry.outcome != "processing":
                wanted = {"succeeded": "succeeded"}.get(entry.outcome, "declined")
                assert attempt.status.value in (wanted, "needs_customer"), f"{attempt.status} was {entry.outcome}"
