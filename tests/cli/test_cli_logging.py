"""Logs: one shape for all, and nothing in them that must not be."""

import io
import json
import logging

import pytest
import structlog

from recovery.runtime.logging import blacked_out, set_up_logging
from recovery.runtime.settings import load_settings

pytest_plugins = ["command_fixtures"]
pytestmark = pytest.mark.usefixtures("logging_as_before")


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_lines_and_those_of_libraries_have_one_shape() -> None:
    stream = io.StringIO()
    set_up_logging(load_settings(_env_file=None), stream=stream)
    structlog.get_logger("recovery.test").info("decided", case="case_1", amount_minor=100)
    logging.getLogger("a.library").info("running on %s", "http://127.0.0.1:1")
    logging.getLogger("stripe").info("a whole request")
    structlog.get_logger("recovery.test").debug("not at this level")
    ours, theirs = lines(stream)
    assert (ours["event"], ours["case"], ours["amount_minor"], ours["level"]) == ("decided", "case_1", 100, "info")
    assert str(ours["at"]).endswith("Z")
    assert (theirs["event"], theirs["logger"]) == ("running on http://127.0.0.1:1", "a.library")


def test_an_error_brings_its_traceback_in_the_same_line() -> None:
    stream = io.StringIO()
    set_up_logging(load_settings(_env_file=None), stream=stream)
    try:
        raise ValueError("for kim@example.com with sk_test_4711")
    except ValueError:
        structlog.get_logger("recovery.test").exception("step_failed")
    (line,) = lines(stream)
    assert "ValueError: for [address] with [secret]" in str(line["exception"])


def test_plain_lines_for_people() -> None:
    stream = io.StringIO()
    set_up_logging(load_settings(_env_file=None, log_format="plain", log_level="warning"), stream=stream)
    structlog.get_logger("recovery.test").info("quiet")
    structlog.get_logger("recovery.test").warning("doorbell_failed", error="no broker")
    assert stream.getvalue().count("\n") == 1
    assert "doorbell_failed" in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to kim.o+x@mail.example.com: refused", "to [address]: refused"),
        ("key rk_live_abc_123 refused", "key [secret] refused"),
        ("signed with whsec_Zm9v", "signed with [secret]"),
        ("postgresql://me:hush@db/x", "postgresql://[secret]@db/x"),
        ("redis://:hush@127.0.0.1:6379/0", "redis://[secret]@127.0.0.1:6379/0"),
        ("card 4242 4242 4242 4242 declined", "card [number] declined"),
        ("card 4242424242424242", "card [number]"),
        ("case_in_1PxYz attempt 3 of 20, 2026-10-12 09:30", "case_in_1PxYz attempt 3 of 20, 2026-10-12 09:30"),
        ("evt_1234567890123456", "evt_1234567890123456"),
    ],
)
def test_addresses_secrets_and_card_numbers_are_blacked_out(text: str, shown: str) -> None:
    assert blacked_out(text) == shown
