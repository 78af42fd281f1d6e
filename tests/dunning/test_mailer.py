"""Handing an email over: what is refused, what may be repeated, and what nobody can know."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest

from recovery.dunning.mailer import MailAmbiguous, MailError, MailRefused, MailUnavailable, SmtpMailer

_PLACES = {"sender": "to_sender", "recipient": "to_recipient", "content": "answer"}


def _message() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Grüße 你好"
    message["From"] = "billing@example.com"
    message["To"] = "kim@example.com"
    message["Message-ID"] = "<one@example.com>"
    message.set_content("ä" * 3000 + "\n.\nend")
    return message


def _mailer(port: int) -> SmtpMailer:
    return SmtpMailer(
        host="127.0.0.1", port=port, security="none", sender="billing@example.com", timeout_seconds=2, tries=1
    )


def test_a_letter_arrives_whole(smtp_catcher: Any) -> None:
    _mailer(smtp_catcher.port).send(_message(), to="kim@example.com")
    (caught,) = smtp_catcher.messages
    assert caught.recipients == ("kim@example.com",)
    assert caught.message["Message-ID"] == "<one@example.com>"
    assert caught.message.get_content().rstrip().endswith("\n.\nend")


@pytest.mark.parametrize("answer", ["550 5.1.1 <kim@example.com>: no such user", "451 try later <kim@example.com>"])
def test_refusals_hide_the_servers_words(smtp_catcher: Any, answer: str) -> None:
    smtp_catcher.answer = answer
    with pytest.raises(MailError) as refused:
        _mailer(smtp_catcher.port).send(_message(), to="kim@example.com")
    assert "kim@" not in str(refused.value)
    assert "no such user" not in str(refused.value)


def test_a_server_that_is_away_is_for_later() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(MailUnavailable):
            _mailer(held.getsockname()[1]).send(_message(), to="kim@example.com")


@contextmanager
def _scripted(answers: list[bytes], *, greeting: bytes = b"220 hello\r\n", drips: bytes = b"") -> Iterator[int]:
    """A server that answers each command in turn, then closes, whatever was said; one that drips never ends an answer."""
    ends = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(greeting)
                for answer in answers:
                    line = lines.readline()
                    if answer.startswith(b"after-content"):
                        while line not in (b".\r\n", b""):
                            line = lines.readline()
                        return
                    connection.sendall(answer)
                    with suppress(OSError):  # the client may hang up
                        while drips and not ends.wait(0.02):
                            connection.sendall(drips)

        thread = threading.Thread(target=talk)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ends.set()
            thread.join(timeout=10)
            assert not thread.is_alive()


def test_a_connection_that_breaks_after_the_content_is_ambiguous() -> None:
    with (
        _scripted([b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"after-content"]) as port,
        pytest.raises(MailAmbiguous),
    ):
        _mailer(port).send(_message(), to="kim@example.com")


def test_a_connection_that_breaks_before_the_content_is_for_later() -> None:
    with _scripted([b"250 hi\r\n", b"250 ok\r\n"]) as port, pytest.raises(MailUnavailable):
        _mailer(port).send(_message(), to="kim@example.com")


def test_a_server_that_never_ends_its_answer_is_cut_off() -> None:
    """No line of it takes long; longer than the lease of its letter it must not last."""
    mailer = replace(_mailer(0), timeout_seconds=0.1)
    began = time.monotonic()
    with _scripted([b"250-hi\r\n"], drips=b"250-and\r\n") as port, pytest.raises(MailUnavailable):
        replace(mailer, port=port).send(_message(), to="kim@example.com")
    assert time.monotonic() - began < mailer.lease_seconds


def test_a_sender_that_the_server_refuses_is_our_own_mistake() -> None:
    """For good or not: it was no customer's address, and mended it lets all letters out."""
    with (
        _scripted([b"250 hi\r\n", b"553 not you\r\n", b"221 bye\r\n"]) as port,
        pytest.raises(MailUnavailable),
    ):
        _mailer(port).send(_message(), to="kim@example.com")


def test_the_doctor_sees_a_sender_that_the_server_refuses() -> None:
    with (
        _scripted([b"250 hi\r\n", b"553 not you\r\n", b"221 bye\r\n"]) as port,
        pytest.raises(MailUnavailable),
    ):
        _mailer(port).check()


@pytest.mark.parametrize(
    ("said_to", "answer", "address"),
    [
        ("recipient", "550 5.1.1 no such user", True),
        ("recipient", "501 5.1.3 bad recipient address syntax", True),
        ("recipient", "556 5.1.10 its domain takes no mail", True),
        ("content", "550 5.1.1 no such user", True),
        ("recipient", "550 no such user", False),
        ("recipient", "553 sorry", False),
    ],
)
def test_what_is_refused_for_good_and_when_the_address_is_the_reason(
    smtp_catcher: Any, said_to: str, answer: str, address: bool
) -> None:
    setattr(smtp_catcher, _PLACES[said_to], answer)
    with pytest.raises(MailRefused) as refused:
        _mailer(smtp_catcher.port).send(_message(), to="kim@example.com")
    assert refused.value.address is address


@pytest.mark.parametrize(
    ("said_to", "answer", "soon", "ours"),
    [
        ("sender", "530 5.7.0 log in first", False, True),
        ("sender", "553 5.1.8 not you", False, True),
        ("sender", "550 5.1.1 whoever you are", False, True),
        ("sender", "451 4.7.1 later", True, True),
        ("recipient", "554 5.7.1 relay access denied", False, True),
        ("recipient", "550 5.7.1 client host blocked", False, True),
        ("recipient", "530 5.7.0 log in first", False, True),
        ("recipient", "550 5.1.8 your domain does not exist", False, True),
        ("recipient", "550 5.1.0 sender rejected", False, True),
        ("recipient", "552 5.2.2 mailbox full", False, False),
        ("recipient", "552 too many recipients", False, False),
        ("recipient", "554 no", False, True),
        ("recipient", "452 4.2.2 full", True, False),
        ("recipient", "451 4.1.1 still looking", True, False),
        ("content", "554 5.7.1 looks like spam", False, True),
        ("content", "550 no", False, True),
        ("content", "451 try later", True, False),
    ],
)
def test_what_somebody_can_mend_is_for_later(
    smtp_catcher: Any, said_to: str, answer: str, soon: bool, ours: bool
) -> None:
    setattr(smtp_catcher, _PLACES[said_to], answer)
    with pytest.raises(MailUnavailable) as refused:
        _mailer(smtp_catcher.port).send(_message(), to="kim@example.com")
    assert (refused.value.soon, refused.value.ours) == (soon, ours)


@pytest.mark.parametrize("greeting", [b"554 go away\r\n", b"521 no mail here\r\n"])
def test_a_server_that_does_not_greet_us_is_for_later(greeting: bytes) -> None:
    with _scripted([b"221 bye\r\n"], greeting=greeting) as port, pytest.raises(MailUnavailable) as refused:
        _mailer(port).send(_message(), to="kim@example.com")
    assert not refused.value.soon


@pytest.mark.parametrize("address", ["kim", "@example.com", "kim@", "kim@a\nBcc: x@y", "a@b, c@d", "kim@" + "x" * 70])
def test_what_is_no_address_is_refused_before_anything_is_said(smtp_catcher: Any, address: str) -> None:
    with pytest.raises(MailRefused) as refused:
        _mailer(smtp_catcher.port).send(_message(), to=address)
    assert refused.value.address
    assert smtp_catcher.messages == []


def test_addresses_of_other_alphabets_are_written_to_where_the_server_can(
    start_smtp: Callable[..., Any],
) -> None:
    plain = start_smtp(enable_SMTPUTF8=False)
    _mailer(plain.port).send(_message(), to="kim@bücher.example")
    assert plain.messages[0].recipients == ("kim@xn--bcher-kva.example",)
    with pytest.raises(MailRefused):
        _mailer(plain.port).send(_message(), to="jürgen@example.com")
    able = start_smtp(enable_SMTPUTF8=True)
    _mailer(able.port).send(_message(), to="jürgen@example.com")
    assert able.messages[0].recipients == ("jürgen@example.com",)


@pytest.mark.parametrize("ways", [{"sender": "jörg@example.com"}, {"username": "jörg", "password": "ü"}])
def test_our_own_failures_before_the_hand_over_are_for_later_too(smtp_catcher: Any, ways: dict[str, Any]) -> None:
    wrong = replace(_mailer(smtp_catcher.port), **ways)
    for ask in (wrong.check, lambda: wrong.send(_message(), to="kim@example.com")):
        with pytest.raises(MailUnavailable):
            ask()
    assert smtp_catcher.messages == []


def test_a_letter_that_cannot_be_put_into_bytes_is_for_later(smtp_catcher: Any) -> None:
    letter = EmailMessage()
    letter["Subject"] = "hello"
    letter.set_payload("\ud83d", charset=None)
    letter.set_type("text/plain")
    with pytest.raises(MailUnavailable, match="UnicodeEncodeError"):
        _mailer(smtp_catcher.port).send(letter, to="kim@example.com")
    assert smtp_catcher.messages == []


def test_the_password_is_not_in_its_repr() -> None:
    assert "hunter2" not in repr(SmtpMailer(host="h", port=1, password="hunter2", sender="a@example.com"))
