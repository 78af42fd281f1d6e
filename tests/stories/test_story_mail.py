"""A mail server that refuses, for now or for good, and a worker that dies over an email."""

from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest
from story_house import Ways
from story_support import Begin, Killed

from recovery.cases.lifecycle import Source, State, StepKind
from recovery.dunning.mailer import MailAmbiguous, Mailer
from recovery.gateways.port import Contact, Gateway

pytest_plugins = ["story_fixtures"]


def test_an_email_refused_for_now_goes_out_later_and_once(begin: Begin) -> None:
    life = begin()
    life.mails.answer = "451 try again later"
    life.fail("lost_card")
    life.run(hours=9)
    assert life.mails.messages == []
    assert [email.status for email in life.file().emails] == ["refused"] * 2, "the third would have come at night"
    life.mails.answer = "250 OK"
    life.run(days=2)
    assert len(life.mails.messages) == 1
    assert life.case().emails_sent == 1


def test_an_email_refused_for_good_is_not_sent_and_the_case_goes_on(begin: Begin) -> None:
    life = begin(ways=Ways(more={"address_key": "a key"}))
    life.mails.to_recipient = "550 5.1.1 no such user"
    life.fail("lost_card")
    assert life.count("SELECT count(*) FROM suppressions WHERE reason = 'refused'") == 1
    life.mails.to_recipient = "250 OK"
    life.run(days=10)
    assert life.mails.messages == []
    assert life.case().state is State.DUNNING
    life.run(days=10)
    assert life.case().state is State.LOST


@pytest.mark.parametrize("answer", ["554 5.7.1 relay access denied", "530 5.7.0 log in first", "552 5.2.2 full"])
def test_our_own_mistake_at_the_mail_server_stops_nobodys_letters(begin: Begin, answer: str) -> None:
    life = begin(ways=Ways(more={"address_key": "a key"}))
    life.mails.to_recipient = answer
    life.fail("lost_card")
    life.run(hours=9)
    assert [email.status for email in life.file().emails] == ["refused"] * 2
    assert answer[:9] in life.flags()["letters_refused"]
    assert life.count("SELECT count(*) FROM suppressions") == 0
    life.mails.to_recipient = "250 OK"
    life.run(days=2)
    assert len(life.mails.messages) == 1
    assert "letters_refused" not in life.flags()


def test_an_address_that_refuses_for_now_again_and_again_costs_that_letter(begin: Begin) -> None:
    life = begin()
    life.mails.to_recipient = "450 4.2.0 mailbox busy"
    life.fail("lost_card")
    life.run(days=2, hours=6)
    assert len(life.file().emails) == 6
    assert "this letter is left out" in life.reasons()
    life.mails.to_recipient = "250 OK"
    life.run(days=20)
    assert len(life.mails.messages) == 3, "only the first letter was left out"
    assert life.case().state is State.LOST


def test_a_mail_server_that_is_away_over_a_weekend_costs_no_letter(begin: Begin) -> None:
    """Nobody is given up without a last notice because of a server that refused us, and nothing is written after the end."""
    life = begin()
    life.fail("lost_card")
    life.run(days=6)
    life.mails.answer = "421 closing down"
    sent = len(life.mails.messages)
    life.run(days=5)
    assert len(life.mails.messages) == sent
    assert "left out" not in life.reasons()
    life.mails.answer = "250 OK"
    life.run(days=20)
    assert len(life.mails.messages) == 4
    assert "Last notice" in str(life.mails.messages[-1].message["Subject"])
    assert life.case().state is State.LOST


def test_who_pays_before_the_email_got_through_is_not_written_to(begin: Begin) -> None:
    life = begin()
    life.mails.answer = "451 try again later"
    life.fail("authentication_required")
    life.sandbox.customer_pays(life.invoice)
    life.mails.answer = "250 OK"
    life.run(days=20)
    assert life.case().source is Source.CUSTOMER_UNASKED
    assert life.mails.messages == []


def test_a_payment_that_nobody_told_us_of_is_found_before_writing(begin: Begin) -> None:
    life = begin()
    life.mails.answer = "451 try again later"
    life.fail("authentication_required")
    life.lose_webhooks()
    life.sandbox.customer_pays(life.invoice)
    life.mails.answer = "250 OK"
    life.run_to_step(StepKind.SEND_EMAIL)
    life.work()
    assert life.case().state is State.RECOVERED
    assert life.mails.messages == []


def test_a_letter_that_could_not_be_written_does_not_count_as_sent(begin: Begin, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(b"\x89PNG logo")
    life = begin(ways=Ways(more={"brand_logo": logo}))
    logo.unlink()
    life.fail("lost_card")
    assert [(email.status, email.detail) for email in life.file().emails] == [
        ("refused", f"RECOVERY_BRAND_LOGO: {logo}: No such file or directory")
    ]
    logo.mkdir()
    life.run(hours=9)
    logo.rmdir()
    logo.write_bytes(b"\x89PNG logo")
    life.run(days=2)
    assert [email.status for email in life.file().emails] == ["refused", "refused", "sent"]
    assert life.case().emails_sent == 1


def test_a_customers_name_that_cannot_be_written_does_not_count_as_a_letter(begin: Begin) -> None:
    life = begin()
    life.fail_on(("authentication_required",), {"email": "kim@example.org", "name": "Kim\ud83d Lee"})
    life.run(days=1)
    assert {email.status for email in life.file().emails} == {"refused"}
    life.sandbox.customer_pays(life.invoice)
    life.work()
    assert life.case().source is Source.CUSTOMER_UNASKED


class _Broken:
    """The real mailer, with which something goes wrong before or after the hand-over."""

    def __init__(self, real: Mailer, wrong: BaseException, *, handed_over: bool) -> None:
        self._real = real
        self._wrong = wrong
        self._handed_over = handed_over
        self.lease_seconds = real.lease_seconds

    def send(self, message: EmailMessage, *, to: str) -> None:
        """Goes wrong."""
        if self._handed_over:
            self._real.send(message, to=to)
        raise self._wrong


def test_an_email_whose_acknowledgement_got_lost_is_not_sent_again(begin: Begin) -> None:
    lost = MailAmbiguous("the connection broke after the content")
    life = begin(ways=Ways(mailer=lambda real: _Broken(real, lost, handed_over=True)))
    life.ambiguous = 1
    life.fail("authentication_required")
    life.run(days=1)
    assert [email.status for email in life.file().emails] == ["ambiguous"]
    assert len(life.mails.messages) == 1
    life.sandbox.customer_pays(life.invoice)
    life.work()
    assert life.case().source is Source.CUSTOMER_AFTER_EMAIL


@pytest.mark.parametrize("handed_over", [True, False])
def test_an_email_over_which_the_worker_died_is_not_sent_again(begin: Begin, handed_over: bool) -> None:
    life = begin(ways=Ways(mailer=lambda real: _Broken(real, Killed(), handed_over=handed_over)))
    life.ambiguous = int(handed_over)
    with pytest.raises(Killed):
        life.fail("authentication_required")
    life.invoice = life.sandbox.ledger.entries[0].invoice
    life.run(days=1)
    assert [email.status for email in life.file().emails] == ["ambiguous"]
    assert len(life.mails.messages) == int(handed_over)
    assert "is not sent again" in life.reasons()
    life.sandbox.customer_pays(life.invoice)
    life.work()
    assert life.case().source is Source.CUSTOMER_AFTER_EMAIL


class _DiesReading:
    """The real gateway; the worker dies once between reading whom to write to and beginning the letter."""

    def __init__(self, real: Gateway) -> None:
        self._real = real
        self.deaths = 1

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def read_contact(self, obligation: str) -> Contact:
        """As the real one, once this worker has died."""
        found = self._real.read_contact(obligation)
        if self.deaths:
            self.deaths -= 1
            raise Killed
        return found


def test_a_letter_whose_worker_died_before_it_was_begun_goes_out_once(begin: Begin) -> None:
    life = begin(ways=Ways(gateway=lambda real: cast(Gateway, _DiesReading(real))))
    with pytest.raises(Killed):
        life.fail("authentication_required")
    life.invoice = life.sandbox.ledger.entries[0].invoice
    life.run(days=1)
    assert [email.status for email in life.file().emails] == ["sent"]
    assert len(life.mails.messages) == 1
