"""Lets letters wait while the mail server is ill. Without it each due letter would spend one of its tries on a server that is away, and
be left out when they are used up, or hang in doubt one after the other.

Counted in the database: every worker of every host talks to the same server. Between two rests the server is asked without any letter,
and then with one.
"""

from enum import Enum, auto
from typing import Protocol

import structlog

from recovery.dunning.mailer import MailError
from recovery.engine.door import Door
from recovery.storage.connect import reading
from recovery.storage.flag_store import MAIL_ILL, raise_flag, read_flags
from recovery.storage.pace_store import EMAILS, rest, resting

log = structlog.get_logger(__name__)

FAILURES_MAX = 10
"""Hand-overs in a row that the server itself cut short: a few are the network's weather, ten are the server's."""

REST_SECONDS_FIRST = 30.0
REST_SECONDS_MAX = 300.0
"""The first rest is as long as a hiccup; each further failure in a row doubles it, to five minutes at most."""


class Standing(Enum):
    """How letters may be taken up now."""

    WELL = auto()
    TRIAL = auto()
    RESTS = auto()


class Server(Protocol):
    """A way to ask the mail server without a letter."""

    def check(self) -> None:
        """Raises MailError when it would take none."""
        ...


def note_ill(door: Door, detail: str) -> None:
    """The server cut a hand-over short. Ten in a row without a letter that went out let all letters rest."""
    moment = door.moment()
    with door.database.begin() as tx:
        if resting(tx, EMAILS, moment=moment):
            return  # those that were under way when the rest began say nothing new
        failures = raise_flag(tx, MAIL_ILL, detail, at=moment.now)
        beyond = failures - FAILURES_MAX
        if beyond < 0:
            return
        seconds = min(REST_SECONDS_FIRST * 2.0 ** min(beyond, 10), REST_SECONDS_MAX)
        rest(tx, EMAILS, seconds=seconds, moment=moment)
    log.error("letters_rest", seconds=seconds, failures=failures, detail=detail)


def standing(door: Door, server: Server) -> Standing:
    """Whether letters may be taken up; asks the server when a rest is over."""
    with reading(door.database) as tx:
        ill = next((flag for flag in read_flags(tx, MAIL_ILL)), None)
        if ill is None or ill.times < FAILURES_MAX:
            return Standing.WELL
        if resting(tx, EMAILS, moment=door.moment()):
            return Standing.RESTS
    try:
        server.check()
    except MailError as error:
        note_ill(door, str(error))
        return Standing.RESTS
    return Standing.TRIAL
