"""The shared fixtures themselves: what every other room's tests stand on."""

import smtplib
from email.message import EmailMessage
from typing import Any

import psycopg
import pytest
import redis


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")


@pytest.mark.parametrize("_round", [1, 2])
def test_each_test_gets_an_empty_database(empty_database_url: str, _round: int) -> None:
    with psycopg.connect(_plain(empty_database_url)) as connection:
        connection.execute("CREATE TABLE mine (x integer)")  # fails in round 2 if the database were shared


@pytest.mark.parametrize("_round", [1, 2])
def test_each_test_gets_a_flushed_broker(valkey_url: str, _round: int) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        assert client.dbsize() == 0
        client.set("mine", "1")


def _letter(subject: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "us@example.test", "you@example.test", subject
    letter.set_content("Grüße")
    return letter


def test_catcher_keeps_messages_and_refuses_when_told(smtp_catcher: Any) -> None:
    with smtplib.SMTP(smtp_catcher.host, smtp_catcher.port, timeout=5) as client:
        client.send_message(_letter("first"))
        smtp_catcher.answer = "451 try later"
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.send_message(_letter("second"))
    assert refused.value.smtp_code == 451
    [caught] = smtp_catcher.messages
    assert caught.recipients == ("you@example.test",)
    assert caught.message["Subject"] == "first"
    assert caught.message.get_content() == "Grüße\n"
