"""The pace of sending, the repeats of one hand-over, and the proof of silence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from building import Life
from sqlalchemy import Connection, Engine, text

from recovery.cases import facts
from recovery.cases.lifecycle import Rule, StepKind
from recovery.cases.obligation import Obligation
from recovery.dunning.mailer import MailUnavailable, SmtpMailer
from recovery.engine.advance import advance
from recovery.engine.claims import perform_due
from recovery.engine.door import Door
from recovery.reporting.silence import audit, breaches
from recovery.runtime.clock import machine_now
from recovery.storage.moment import Moment
from recovery.storage.pace_store import take_places
from recovery.storage.silence_queries import EmailRecord, email_records
from recovery.storage.step_store import ClaimedStep, claim_steps, finish_steps

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def _places(database: Engine, seconds: float, wanted: int) -> int:
    at = NOON + timedelta(seconds=seconds)
    with database.begin() as tx:
        return take_places(tx, "emails", (10.0, 30.0), wanted=wanted, moment=Moment(now=at, machine_now=at))


def test_all_workers_together_keep_the_pace(life: Life) -> None:
    database = life.wiring.database
    assert [_places(database, 0, 20) for _ in range(3)] == [20, 10, 0], "a burst, then nothing"
    assert [_places(database, 1, 20), _places(database, 1.05, 20)] == [10, 0]
    assert _places(database, -60, 20) == 0, "a clock that was set back brings no second burst"
    taken = sum(_places(database, 2 + second / 4, 20) for second in range(400))
    assert abs(taken - 10 * 100.75) <= 1, "a hundred seconds at ten a second, without a jump"
    assert _places(database, 10_000, 1000) == 30, "what was not used does not pile up"


class _Sending:
    """Performs a step by noting it; at a pace."""

    lease_seconds = 60.0

    def __init__(self, door: Door) -> None:
        self.door = door
        self.done: list[int] = []

    def __call__(self, step: ClaimedStep) -> None:
        with self.door.database.begin() as tx:
            finish_steps(tx, step.id, moment=self.door.moment())
        self.done.append(step.id)

    def places(self, tx: Connection, *, wanted: int, moment: Moment) -> int:
        return take_places(tx, "emails", (20.0, 40.0), wanted=wanted, moment=moment)


_MANY = """
INSERT INTO cases SELECT (jsonb_populate_record(c, jsonb_build_object('id', 'case_' || n, 'obligation', 'in_' || n))).*
FROM cases c, generate_series(1, 1000) AS n WHERE c.id = :like
"""
_STEPS = """
INSERT INTO steps (case_id, kind, state, due_at)
SELECT 'case_' || n, kind, 'planned', due_at
FROM generate_series(1, 1000) AS n,
    (VALUES ('send_email', CAST(:at AS timestamptz)), ('close_case', :at + interval '9 days')) AS k (kind, due_at)
"""


def test_the_pace_is_kept_however_many_steps_are_due_at_once(life: Life) -> None:
    case_id, database, clock = life.fail("like"), life.wiring.database, [machine_now()]
    with database.begin() as tx:
        tx.execute(text(_MANY), {"like": case_id})
        tx.execute(text(_STEPS), {"at": life.at})
    door = replace(life.door, machine_clock=lambda: clock[0])
    sending = _Sending(door)
    for second in range(6):
        perform_due(door, {StepKind.SEND_EMAIL: sending}, batch=500, threads=1)
        assert len(sending.done) == 40 + 20 * second
        clock[0] += timedelta(seconds=1)


def test_what_is_refused_for_now_is_handed_over_again_at_once(smtp_catcher: Any) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            smtp_catcher.answer = "250 OK"

    mailer = SmtpMailer(
        host="127.0.0.1", port=smtp_catcher.port, security="none", sender="a@example.com", tries=3, sleep=sleep
    )
    message = EmailMessage()
    message.set_content("hello")
    smtp_catcher.answer = "451 later"
    mailer.send(message, to="kim@example.com")
    assert (len(slept), len(smtp_catcher.messages)) == (2, 1)
    smtp_catcher.answer = "451 later"
    with pytest.raises(MailUnavailable):
        mailer.send(message, to="kim@example.com")
    assert len(slept) == 4


def _emailed(life: Life, invoice: str, code: str) -> str:
    case_id = life.fail(invoice, code=code)
    life.refresh(case_id)
    planned = life.case(case_id).step(StepKind.SEND_EMAIL)
    assert planned is not None
    life.at = planned.due_at
    moment = life.door.moment()
    with life.wiring.database.begin() as tx:
        (step,) = claim_steps(tx, (StepKind.SEND_EMAIL,), moment=moment, limit=1, lease_seconds=600)
    owed: Obligation = life._owed[case_id]
    email_id = advance(life.door, case_id, facts.EmailDue(obligation=owed, step_id=step.id), step=step).email_id
    assert email_id is not None
    advance(life.door, case_id, facts.EmailSent(email_id=email_id), step=step)
    return email_id


def _records(life: Life) -> list[EmailRecord]:
    with life.wiring.database.connect() as tx:
        return list(email_records(tx, first=life.at - timedelta(days=30), until=life.at + timedelta(days=1)))


def test_the_journal_proves_that_silence_was_kept(life: Life) -> None:
    emailed = [_emailed(life, "in_1", "lost_card"), _emailed(life, "in_2", "authentication_required")]
    found = audit(_records(life))
    assert (found.kept, found.emails, found.cases) == (True, 2, 2)
    assert {record.id for record in found.only_customer} == set(emailed)
    assert found.by_rule == {Rule.NEVER_AGAIN: 1, Rule.ONLY_CUSTOMER: 1}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"line_case": "case_other"}, "another case"),
        ({"line_state": "silent"}, "says silent"),
        ({"due_line": None}, "no line"),
        ({"due_line": 0}, "before the exhaustion"),
        ({"first_dunning_line": 0}, "before the exhaustion was journalled"),
        ({"begun_at": NOON - timedelta(days=900)}, "begun before"),
        ({"line_at": NOON}, "differ"),
    ],
)
def test_every_way_to_break_silence_is_seen(life: Life, change: dict[str, Any], told: str) -> None:
    _emailed(life, "in_1", "lost_card")
    (record,) = _records(life)
    assert breaches(record) == []
    assert any(told in why for why in breaches(replace(record, **change)))
