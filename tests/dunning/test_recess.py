"""A mail server that is ill: letters wait for it, spend no tries on it, and go on by themselves."""

import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from building import Life
from sqlalchemy import text

from recovery.cases import facts
from recovery.cases.answers import Answer, Declined
from recovery.cases.lifecycle import StepKind
from recovery.cases.obligation import Obligation
from recovery.cases.updating import UpdaterWay
from recovery.cases.wallet import Wallet
from recovery.declines.signals import Signals
from recovery.dunning.mailer import MailUnavailable, SmtpMailer
from recovery.dunning.recess import FAILURES_MAX, Standing, note_ill, standing
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.gateways.port import ChargeOrder, Contact
from recovery.runtime.clock import machine_now
from recovery.runtime.wiring import Wiring
from recovery.storage.case_store import case_id_of
from recovery.storage.flag_store import MAIL_ILL, read_flags
from recovery.storage.pace_store import EMAILS, take_places


class _Clock:
    """A machine clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = machine_now()

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def _places(door: Door) -> int:
    with door.database.begin() as tx:
        return take_places(tx, EMAILS, (10.0, 30.0), wanted=20, moment=door.moment())


def _sent(life: Life, invoice: str) -> None:
    """A letter that the server took."""
    case_id = life.fail(invoice, code="lost_card")
    life.refresh(case_id)
    step = life._claim(case_id, StepKind.SEND_EMAIL)
    email_id = advance(life.door, case_id, facts.EmailDue(obligation=life.owed(case_id), step_id=step.id), step=step)
    assert email_id.email_id is not None
    advance(life.door, case_id, facts.EmailSent(email_id=email_id.email_id), step=step)


def test_letters_rest_while_the_server_is_ill_and_go_on_with_one(life: Life, smtp_catcher: Any) -> None:
    clock = _Clock()
    door = replace(life.door, machine_clock=clock)
    well = SmtpMailer(host="127.0.0.1", port=smtp_catcher.port, security="none", sender="a@example.com")
    away = replace(well, port=1)
    for _ in range(FAILURES_MAX - 1):
        note_ill(door, "421")
    assert (standing(door, away), _places(door)) == (Standing.WELL, 20), "a few failures are the network's weather"
    for _ in range(40):  # those under way when the rest began make it no longer
        note_ill(door, "421")
    assert (standing(door, well), _places(door)) == (Standing.RESTS, 0), "nobody asks the server during a rest"
    clock.forward(29)
    assert (standing(door, well), _places(door)) == (Standing.RESTS, 0)
    clock.forward(1.5)
    assert standing(door, away) is Standing.RESTS, "asked without a letter, it is still away: no letter spends a try"
    clock.forward(59)
    assert (standing(door, well), _places(door)) == (Standing.RESTS, 0), "the second rest is longer"
    clock.forward(2)
    assert standing(door, well) is Standing.TRIAL
    assert _places(door) == 10, "the pace goes on from the end of the rest, without a burst"
    assert smtp_catcher.messages == []
    _sent(life, "in_1")
    assert standing(door, away) is Standing.WELL
    with life.wiring.database.connect() as tx:
        assert read_flags(tx, MAIL_ILL) == []


class _Reading:
    """A gateway that knows each invoice and its customer, and declines."""

    call_bound_seconds = 5.0
    updater = UpdaterWay.PASSIVE

    def __init__(self, life: Life) -> None:
        self._life = life
        self.charged: list[str] = []

    def read_obligation(self, name: str) -> Obligation:
        return self._life.owed(case_id_of(name))

    def read_owed(self, name: str) -> tuple[Obligation, Wallet]:
        owed = self.read_obligation(name)
        return owed, Wallet(default=owed.card or owed.charges[0].card)

    def read_contact(self, name: str) -> Contact:
        return Contact(email=f"{name}@example.com", name="Kim", locale="en", hosted_url="https://example.com/pay")

    def charge(self, order: ChargeOrder) -> Answer:
        self.charged.append(order.obligation)
        return Declined(signals=Signals(decline_code="insufficient_funds"), charge_id=f"ch_{order.key}")


def _worker(life: Life, port: int) -> tuple[Wiring, _Reading]:
    """The worker's wiring with that mail server."""
    settings = life.wiring.settings.model_copy(update={"threads": 5})
    wiring, gateway = replace(life.wiring, settings=settings), _Reading(life)
    mailer = SmtpMailer(
        host="127.0.0.1", port=port, security="none", sender="a@example.com", timeout_seconds=60, tries=1
    )
    vars(wiring).update(door=life.door, database=life.wiring.database, mailer=mailer, gateway=gateway)
    return wiring, gateway


def _written_to(life: Life, count: int) -> None:
    """Customers whose letters are due."""
    for number in range(count):
        life.refresh(life.fail(f"in_{number}", code="lost_card"))
    life.at = datetime(2026, 9, 11, 18, 0, tzinfo=UTC)  # an afternoon in the week, and a payday


def _count(life: Life, which: str) -> int:
    with life.wiring.database.connect() as tx:
        return int(tx.execute(text(f"SELECT count(*) FROM {which}")).scalar_one())


def test_a_worker_takes_up_no_letter_during_a_rest_and_one_after_it(life: Life, smtp_catcher: Any) -> None:
    _written_to(life, 3)
    for _ in range(FAILURES_MAX):
        note_ill(life.door, "421")
    worker, _ = _worker(life, smtp_catcher.port)
    assert worker.write_letters() == 0
    assert _count(life, "steps WHERE claims > 0 AND kind = 'send_email'") == 0
    with life.wiring.database.begin() as tx:
        tx.execute(text("UPDATE paces SET free_at = free_at - interval '1 minute'"))
    assert worker.write_letters() == 1, "a trial is one letter, whatever is due"
    while worker.write_letters():
        pass
    assert sorted(mail.recipients[0] for mail in smtp_catcher.messages) == [f"in_{n}@example.com" for n in range(3)]


def test_charges_go_on_while_letters_hang_at_the_mail_server(life: Life) -> None:
    charged = [life.fail(f"in_due_{number}") for number in range(3)]
    for case_id in charged:
        life.refresh(case_id)
    _written_to(life, 8)
    with life.wiring.database.begin() as tx:
        tx.execute(text("UPDATE steps SET due_at = :at WHERE kind = 'charge_card'"), {"at": life.at})
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes every connection and says nothing
        worker, gateway = _worker(life, silent.getsockname()[1])
        letters = threading.Thread(target=worker.write_letters)
        letters.start()
        while _count(life, "emails") < 5:
            assert letters.is_alive()
        worker.perform_steps()
        assert letters.is_alive(), "the charges were made while the letters hung"
        assert len(gateway.charged) == 3
    letters.join()  # the server is gone, and with it every connection that waited for its greeting
    assert _count(life, "emails WHERE status = 'refused'") == 8
    assert _count(life, "steps WHERE kind = 'send_email' AND state = 'planned' AND failures = 0") == 8


@pytest.mark.parametrize(
    ("said_to", "answer", "server"),
    [
        ("answer", "421 closing", True),
        ("to_recipient", "452 4.3.1 full disk", True),
        ("to_recipient", "451 4.7.1 greylisted", False),
        ("to_recipient", "554 5.7.1 relay access denied", False),
    ],
)
def test_what_speaks_of_the_server_is_told_from_what_speaks_of_a_letter(
    smtp_catcher: Any, said_to: str, answer: str, server: bool
) -> None:
    setattr(smtp_catcher, said_to, answer)
    mailer = SmtpMailer(host="127.0.0.1", port=smtp_catcher.port, security="none", sender="a@example.com", tries=1)
    with pytest.raises(MailUnavailable) as refused:
        mailer.send(EmailMessage(), to="kim@example.com")
    assert refused.value.server is server
