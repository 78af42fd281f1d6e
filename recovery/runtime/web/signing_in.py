"""Checking a password, with patience running out. Without it a short password could be guessed in an afternoon."""

import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Engine

from recovery.storage.user_store import (
    User,
    begin_session,
    change_user,
    failures_since,
    forgive,
    note_failures,
    password_of,
)

log = structlog.get_logger(__name__)

PATIENCE: Final = timedelta(minutes=15)
"""How long failures count."""

NAME_FAILURES_MAX: Final = 5
ADDRESS_FAILURES_MAX: Final = 30
"""Failures in that time after which a name, and an address, is not listened to: people share addresses, not names."""

PASSWORD_LENGTH_MIN: Final = 12
"""NIST SP 800-63B-4 (2025) asks for at least 15 characters where the password stands alone, 8 beside a second factor; beside a
throttle of five in a quarter of an hour twelve are far out of reach."""

PASSWORD_LENGTH_MAX: Final = 200

_hasher: Final = PasswordHasher()

_one_at_a_time: Final = threading.Lock()
"""A hash takes 64 MB and a core: many at once would take the machine, and all of them be begun before the first failure counts."""


@cache
def _nobody() -> str:
    """Verified where there is no such user, so that the time of the answer does not tell. Made when it is first needed: making it takes
    as long as an answer, and few processes ever ask."""
    return _hasher.hash(secrets.token_urlsafe())


class PasswordTooShort(ValueError):
    """The password could be guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Somebody wants to sign in; without a name where all share one password."""

    name: str
    password: str
    address: str


def hashed(password: str) -> str:
    """What is kept of a password (Argon2id). Raises PasswordTooShort."""
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise PasswordTooShort(
            f"a password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters; several words do well"
        )
    return _hasher.hash(password)


def throttled(database: Engine, attempt: Attempt, *, at: datetime) -> bool:
    """Whether this name or address has failed too often of late."""
    with database.connect() as tx:
        return any(failures_since(tx, subject, at - PATIENCE) >= most for subject, most in _limits(attempt).items())


def failed(database: Engine, attempt: Attempt, *, at: datetime) -> None:
    """Keep a failure."""
    with database.begin() as tx:
        note_failures(tx, tuple(_limits(attempt)), at=at, forget_before=at - PATIENCE)


def checked(database: Engine, attempt: Attempt, *, at: datetime) -> User | None:
    """The user whose name and password these are; a failure is kept. None as well where those before it were too many."""
    with database.connect() as tx:
        found = password_of(tx, attempt.name)
    with _one_at_a_time:
        if throttled(database, attempt, at=at):
            return None
        nobody = _nobody()  # for known names too, so that the first answer of a process does not tell either
        right = _verified(found[1] if found else nobody, attempt.password)
        if found is None or not right:
            failed(database, attempt, at=at)
            log.warning("sign_in_failed", name_known=found is not None)
            return None
    user, kept = found
    with database.begin() as tx:
        forgive(tx, _name(attempt))
        if _hasher.check_needs_rehash(kept):
            change_user(tx, user.name, at=at, password_hash=_hasher.hash(attempt.password))
    return user


def begun(database: Engine, user: User, *, at: datetime) -> str:
    """A new session; its token."""
    token = secrets.token_urlsafe(32)
    with database.begin() as tx:
        begin_session(tx, user, token=token, csrf=secrets.token_urlsafe(32), at=at)
    return token


def _verified(kept: str, password: str) -> bool:
    try:
        return _hasher.verify(kept, password[: PASSWORD_LENGTH_MAX + 1])
    except (VerificationError, InvalidHashError):
        return False


def _limits(attempt: Attempt) -> dict[str, int]:
    """Whose failures count, and how many of them."""
    address = {f"address:{attempt.address}": ADDRESS_FAILURES_MAX}
    return {_name(attempt): NAME_FAILURES_MAX} | address if attempt.name else address


def _name(attempt: Attempt) -> str:
    return f"name:{attempt.name.casefold()}"
