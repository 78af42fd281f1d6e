"""Turns expected errors into one line that says what to do. Without it a database that is away would be forty lines of traceback."""

from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from recovery.dunning.texts import LetterError
from recovery.gateways.port import GatewayMisconfigured, GatewayRefused, GatewayUnavailable, NotFound
from recovery.reporting.closing import MonthNotOver
from recovery.reporting.period import PeriodInvalid
from recovery.reporting.rates import RatesInvalid
from recovery.runtime.clock import ClockNotSet
from recovery.runtime.embedded import EmbeddedServerFailed
from recovery.runtime.knowledge import ConfigInvalid
from recovery.runtime.logging import blacked_out
from recovery.runtime.processes import ProcessFailed
from recovery.runtime.settings import SettingsInvalid
from recovery.storage.case_store import NoSuchCase
from recovery.storage.closing_store import AlreadyClosed
from recovery.storage.migrate import SchemaTooOld


class Refused(Exception):
    """The command cannot do what was asked; the message says why."""


_UNDEFINED_TABLE: Final = "42P01"
_UNDEFINED_COLUMN: Final = "42703"
"""PostgreSQL's codes for a schema that is not what we expect."""


def explanation(error: Exception) -> str | None:
    """What to tell about an error, without secrets; None for one that nobody expected."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            text = words(error)
            return None if text is None else blacked_out(text)
    return None


def _database(error: Exception) -> str | None:
    cause = getattr(error, "orig", None) or error
    line = str(cause).strip().partition("\n")[0]
    return f"the database does not answer: {line}\nCheck RECOVERY_DATABASE_URL, then try again."


def _schema(error: Exception) -> str | None:
    code = getattr(getattr(error, "orig", None), "sqlstate", None)
    if code in (_UNDEFINED_TABLE, _UNDEFINED_COLUMN):
        return "the database has no tables yet, or those of another version: run `recovery migrate`."
    return None


def _settings(error: Exception) -> str | None:
    return f"settings cannot be used:\n{error}"


def _config(error: Exception) -> str | None:
    return f"the configuration cannot be used:\n{error}"


def _misconfigured(error: Exception) -> str | None:
    return f"the gateway refused our key: {error}\nCheck RECOVERY_STRIPE_SECRET_KEY, then run `recovery doctor`."


def _refused(error: Exception) -> str | None:
    return f"the gateway calls this read wrong, or its answer cannot be understood: {error}\n`recovery doctor` checks key and mode."


def _unavailable(error: Exception) -> str | None:
    return f"the gateway does not answer: {error}\nTry again later; `recovery doctor` checks the connection."


def _unknown_case(error: Exception) -> str | None:
    return f"{error.args[0]}. `recovery case list` shows what there is."


def _file(error: Exception) -> str | None:
    assert isinstance(error, OSError)
    if error.filename is None:
        return None
    return f"{error.filename}: {error.strerror}. Name a file in a folder that exists and that you may use."


_WORDS: Final[tuple[tuple[type[Exception], Callable[[Exception], str | None]], ...]] = (
    (SettingsInvalid, _settings),
    (ConfigInvalid, _config),
    (LetterError, _config),
    (NoSuchCase, _unknown_case),
    (EmbeddedServerFailed, str),
    (ProcessFailed, str),
    (ClockNotSet, str),
    (PeriodInvalid, str),
    (MonthNotOver, str),
    (RatesInvalid, str),
    (AlreadyClosed, str),
    (SchemaTooOld, str),
    (Refused, str),
    (GatewayMisconfigured, _misconfigured),
    (GatewayRefused, _refused),
    (GatewayUnavailable, _unavailable),
    (NotFound, str),
    (OperationalError, _database),
    (PoolTimeout, _database),
    (ProgrammingError, _schema),
    (OSError, _file),
    (DBAPIError, lambda error: _database(error) if getattr(error, "connection_invalidated", False) else None),
)
