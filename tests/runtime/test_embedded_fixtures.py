"""The shared fixtures themselves: what every other room's tests stand on."""

import smtplib
from email.message import EmailMessage
from typing import Any

import psycopg
import pytest
import redis
from conftest import TEMPLATE
from databases import Databases


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")


@pytest.mark.parametrize("_round", [1, 2])
def test_each_test_gets_an_empty_database(empty_database_url: str, _round: int) -> None:
    with psycopg.connect(_plain(empty_database_url)) as connection:
        connection.execute("CREATE TABLE mine (x integer)")  # fails in round 2 if the database were shared


def _rows(url: str, *more: str) -> tuple[Any, ...] | None:
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute("INSERT INTO flags (name, detail, since, seen_at, times) VALUES ('on', '', now(), now(), 1)")
        connection.execute(
            "INSERT INTO renewal_news (gateway, subscription, kind, heard_at) VALUES ('g', 's', 'k', now())"
        )
        for statement in more:
            connection.execute(statement.encode())
        return connection.execute("SELECT (SELECT count(*) FROM flags), max(id) FROM renewal_news").fetchone()


def test_a_database_is_lent_again_only_if_it_is_as_new(postgres_url_base: str, database_url: str) -> None:
    assert database_url.startswith(postgres_url_base), "lent by another one from the same template"
    lender = Databases(postgres_url_base, TEMPLATE)
    with lender.lent() as first, psycopg.connect(_plain(first)) as left_open:
        assert _rows(first) == (1, 1)
    with pytest.raises(psycopg.OperationalError):
        left_open.execute("SELECT 1")
    used = []
    for harm in ("ANALYZE flags", "ALTER TABLE flags RENAME TO signs", "UPDATE alembic_version SET version_num = 'x'"):
        with lender.lent() as again:
            used.append(again)
            assert _rows(again) == (1, 1), "neither rows nor numbers of the one before"
        with lender.lent() as again:
            assert again == used[-1], "as new but for its rows"
            with psycopg.connect(_plain(again), autocommit=True) as connection:
                connection.execute(harm.encode())
    assert used[0] == first
    assert len(set(used)) == 3, "nobody gets what another one changed"


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
