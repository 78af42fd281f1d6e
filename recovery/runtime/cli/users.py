"""Who may read the pages. Without the commands the first user could only be added by hand in the database."""

import secrets
import sys
from enum import StrEnum
from typing import Annotated

import typer

from recovery.runtime.cli.explain import Refused
from recovery.runtime.cli.output import cells, console, grid, said, said_json, told
from recovery.runtime.cli.session import command_stack
from recovery.runtime.clock import machine_now
from recovery.runtime.web.roles import Role
from recovery.runtime.web.signing_in import PasswordTooShort, hashed
from recovery.storage.user_store import NoSuchUser, User, UserExists, add_user, change_user, list_users

user_app = typer.Typer(no_args_is_help=True, help="Who may read the pages, with RECOVERY_PAGES=login.")

Name = Annotated[str, typer.Argument(help="The name to sign in with.")]
FromInput = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input; else one is made and shown once."),
]


class Switch(StrEnum):
    """Whether somebody may sign in."""

    ON = "on"
    OFF = "off"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(user_app, name="user")


@user_app.command("add")
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="finance reads the report, operator looks after cases, admin both.")],
    password_stdin: FromInput = False,
) -> None:
    """Add somebody."""
    if not name.strip() or not name.isprintable() or len(name) > 200:
        raise Refused("a name has 1 to 200 printable characters.")
    password, made = _password(password_stdin)
    user = User(name=name.strip(), role=role.value, enabled=True, created_at=machine_now())
    try:
        kept = hashed(password)
        with command_stack() as stack, stack.wiring.database.begin() as tx:
            add_user(tx, user, password_hash=kept)
    except (UserExists, PasswordTooShort) as error:
        raise Refused(str(error)) from error
    _say(f"{user.name} may sign in as {role.value}", password if made else None)


@user_app.command("password")
def password_command(name: Name, password_stdin: FromInput = False) -> None:
    """Set a new password; whoever is signed in with the old one is signed out."""
    password, made = _password(password_stdin)
    try:
        kept = hashed(password)
        with command_stack() as stack, stack.wiring.database.begin() as tx:
            change_user(tx, name, at=machine_now(), password_hash=kept)
    except (NoSuchUser, PasswordTooShort) as error:
        raise Refused(str(error)) from error
    _say(f"{name} has a new password", password if made else None)


@user_app.command("change")
def change(
    name: Name,
    role: Annotated[Role | None, typer.Option(help="Another role.")] = None,
    access: Annotated[Switch | None, typer.Option(help="Whether they may sign in.")] = None,
) -> None:
    """Change somebody's role, or take away or give back access; sessions end."""
    try:
        with command_stack() as stack, stack.wiring.database.begin() as tx:
            enabled = None if access is None else access is Switch.ON
            change_user(tx, name, at=machine_now(), role=role.value if role else None, enabled=enabled)
    except NoSuchUser as error:
        raise Refused(str(error)) from error
    said(f"{name} is changed, and signed out everywhere")


@user_app.command("list")
def list_command(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show who may sign in."""
    with command_stack() as stack, stack.wiring.database.connect() as tx:
        found = list_users(tx)
    if json:
        said_json([{"name": user.name, "role": user.role, "enabled": user.enabled} for user in found])
        return
    table = grid("Users", "name", "role", "may sign in", "since")
    for user in found:
        table.add_row(*cells(user.name, user.role, "yes" if user.enabled else "no", f"{user.created_at:%Y-%m-%d}"))
    console().print(table)


def _password(from_input: bool) -> tuple[str, bool]:
    if from_input:
        return sys.stdin.readline().rstrip("\r\n"), False
    return secrets.token_urlsafe(15), True


def _say(words: str, password: str | None) -> None:
    told(words)
    if password is not None:
        told("Their password, shown this once:")
        said(password)
