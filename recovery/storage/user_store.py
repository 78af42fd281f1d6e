"""Users, their sessions and failed attempts to sign in. All instants are machine time."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.storage.user_tables import login_failures, sessions, users

IDLE: Final = timedelta(hours=12)
"""A session that nobody used for half a day is over: a screen left open at work is not open the next morning."""

LONGEST: Final = timedelta(days=7)
"""However much it is used, a session ends after a week."""

SEEN_EVERY: Final = timedelta(minutes=5)
"""How exactly the last use is kept; a write at every page would be for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may read the pages. ``role`` is finance, operator or admin."""

    name: str
    role: str
    enabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is signed in; ``csrf`` is what the forms of this session carry."""

    user: User
    csrf: str


class UserExists(ValueError):
    """There is a user of this name already."""


class NoSuchUser(LookupError):
    """There is no user of this name."""


def digest(text: str) -> str:
    """What is kept of a token, a name or an address."""
    return hashlib.sha256(text.encode()).hexdigest()


def add_user(tx: Connection, user: User, *, password_hash: str) -> None:
    """Add a user. Raises UserExists."""
    row = {"name": user.name, "role": user.role, "enabled": user.enabled, "created_at": user.created_at}
    row |= {"password_hash": password_hash, "changed_at": user.created_at}
    if tx.execute(pg_insert(users).values(row).on_conflict_do_nothing().returning(users.c.name)).first() is None:
        raise UserExists(
            f"there is a user {user.name} already; `recovery user password {user.name}` sets a new password"
        )


def change_user(
    tx: Connection,
    name: str,
    *,
    at: datetime,
    password_hash: str | None = None,
    role: str | None = None,
    enabled: bool | None = None,
) -> None:
    """Change what is given, and end the user's sessions. Raises NoSuchUser."""
    wanted = {"password_hash": password_hash, "role": role, "enabled": enabled}
    row = {key: value for key, value in wanted.items() if value is not None} | {"changed_at": at}
    if tx.execute(update(users).where(users.c.name == name).values(row).returning(users.c.name)).first() is None:
        raise NoSuchUser(f"there is no user {name}; `recovery user list` shows who there is")
    tx.execute(delete(sessions).where(sessions.c.user_name == name))


def list_users(tx: Connection) -> list[User]:
    """All users by name."""
    query = select(users.c.name, users.c.role, users.c.enabled, users.c.created_at).order_by(users.c.name)
    return [User(**row) for row in tx.execute(query).mappings()]


def password_of(tx: Connection, name: str) -> tuple[User, str] | None:
    """An enabled user with the password's hash."""
    row = tx.execute(select(users).where(users.c.name == name, users.c.enabled)).mappings().first()
    if row is None:
        return None
    user = User(name=row["name"], role=row["role"], enabled=row["enabled"], created_at=row["created_at"])
    return user, row["password_hash"]


def begin_session(tx: Connection, user: User, *, token: str, csrf: str, at: datetime) -> None:
    """Keep a new session, and delete those that are over."""
    tx.execute(delete(sessions).where((sessions.c.seen_at < at - IDLE) | (sessions.c.begun_at < at - LONGEST)))
    row = {"token_digest": digest(token), "user_name": user.name, "csrf": csrf, "begun_at": at, "seen_at": at}
    tx.execute(insert(sessions).values(row))


def session_of(tx: Connection, token: str, *, at: datetime) -> Session | None:
    """The session of a token, if it lasts still and its user is enabled."""
    query = (
        select(sessions.c.csrf, sessions.c.seen_at, users.c.name, users.c.role, users.c.enabled, users.c.created_at)
        .join(users, users.c.name == sessions.c.user_name)
        .where(
            sessions.c.token_digest == digest(token),
            users.c.enabled,
            sessions.c.seen_at >= at - IDLE,
            sessions.c.begun_at >= at - LONGEST,
        )
    )
    row = tx.execute(query).mappings().first()
    if row is None:
        return None
    if row["seen_at"] < at - SEEN_EVERY:
        tx.execute(update(sessions).where(sessions.c.token_digest == digest(token)).values(seen_at=at))
    user = User(name=row["name"], role=row["role"], enabled=row["enabled"], created_at=row["created_at"])
    return Session(user=user, csrf=row["csrf"])


def end_session(tx: Connection, token: str) -> None:
    """Sign out."""
    tx.execute(delete(sessions).where(sessions.c.token_digest == digest(token)))


def failures_since(tx: Connection, subject: str, at: datetime) -> int:
    """How often signing in failed for a name or an address since an instant."""
    query = select(func.count()).where(login_failures.c.subject == digest(subject), login_failures.c.at >= at)
    return int(tx.execute(query).scalar_one())


def note_failures(tx: Connection, subjects: Sequence[str], *, at: datetime, forget_before: datetime) -> None:
    """Keep one failure for each subject; old ones are deleted."""
    tx.execute(delete(login_failures).where(login_failures.c.at < forget_before))
    tx.execute(insert(login_failures), [{"subject": digest(subject), "at": at} for subject in subjects])


def forgive(tx: Connection, subject: str) -> None:
    """Forget the failures of a name after it signed in."""
    tx.execute(delete(login_failures).where(login_failures.c.subject == digest(subject)))
