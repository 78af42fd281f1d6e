"""What every command starts with: settings, quiet logs, the stack. Without it each command would forget one of the three."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from recovery.runtime.logging import set_up_logging
from recovery.runtime.settings import Settings, load_settings

if TYPE_CHECKING:
    from recovery.runtime.stack import Stack


def settings_for_command() -> Settings:
    """The settings, with logs of warnings only on standard error, in plain lines: a person is reading."""
    settings = load_settings()
    quiet = settings.model_copy(update={"log_format": "plain"})
    set_up_logging(quiet, stream=sys.stderr, level="warning")
    return settings


def settings_for_process() -> Settings:
    """The settings, with logs as they say."""
    settings = load_settings()
    set_up_logging(settings)
    return settings


@contextmanager
def command_stack(*, broker: bool = False, gateway: bool = False) -> "Iterator[Stack]":
    """The stack of one short command; ``gateway`` when it takes in what the gateway tells, which must be the account of the cases.

    Raises SettingsInvalid for another account's key, and GatewayError while the gateway is away.
    """
    # Only now: commands that need no database should not wait for its driver and the gateway's client.
    from recovery.runtime.stack import opened

    with opened(settings_for_command(), broker=broker, pool_size=2) as stack:
        if gateway:
            from recovery.runtime.account import keep_account

            keep_account(stack.wiring)
        yield stack
