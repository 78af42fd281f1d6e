"""Handing an email over: what is refused, what may be repeated, and what nobody can know."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

import pytest

from recovery.dunning.mailer import MailAmbiguous, MailRefused, MailUnavailable, SmtpMailer


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


@pytest.mark.parametrize(("answer", "error"), [("550 no such user", MailRefused), ("451 try later", MailUnavailable)])
def test_refusals_are_told_apart_and_hide_the_servers_words(
    smtp_catcher: Any, answer: str, error: type[Exception]
) -> None:
    smtp_catcher.answer = answer
    with pytest.raises(error) as refused:
        _mailer(smtp_catcher.port).send(_message(), to="kim@example.com")
    assert "kim@" not in str(refused.value)
    assert "no such user" not in str(refused.value)


def test_a_server_that_is_away_is_for_later() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(MailUnavailable):
            _mailer(held.getsockname()[1]).send(_message(), to="kim@example.com")


@contextmanager
def _scripted(answers: list[bytes]) -> Iterator[int]:
    """A server that answers each command in turn, then closes, whatever was said."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 hello\r\n")
                for answer in answers:
                    line = lines.readline()
                    if answer.startswith(b"after-content"):
                        while line not in (b".\r\n", b""):
                            line = lines.readline()
                        return
                    connection.sendall(answer)

        thread = threading.Thread(target=talk)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
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


def test_a_sender_that_the_server_refuses_for_good() -> None:
    with (
        _scripted([b"250 hi\r\n", b"553 not you\r\n", b"250 ok\r\n", b"221 bye\r\n"]) as port,
        pytest.raises(MailRefused),
    ):
        _mailer(port).send(_message(), to="kim@example.com")


def test_the_password_is_not_in_its_repr() -> None:
    assert "hunter2" not in repr(SmtpMailer(host="h", port=1, password="hunter2", sender="a@example.com"))
