"""Keeps one database to one account of the gateway. Without it a test key on live cases finds none of their invoices, and each
case that falls due goes to a person."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from recovery.gateways.port import GatewayError, GatewayMisconfigured, Standing
from recovery.runtime.settings import SettingsInvalid
from recovery.runtime.wiring import Wiring
from recovery.storage.flag_store import GATEWAY_ACCOUNT, raise_flag, read_flags

log = structlog.get_logger(__name__)

ASK_AGAIN_SECONDS = 60.0
"""A key without the right to read its account says so on every call: once a minute is enough to notice that it was given."""


def keep_account(wiring: Wiring) -> bool:
    """Note whose key this is at the first time, and refuse another's from then on; False when the key may not tell.

    Raises SettingsInvalid for another account's key, GatewayError while nobody can tell, and the database's errors.
    """
    if wiring.settings.stripe_secret_key is None:
        return True
    try:
        standing = wiring.gateway.standing()
    except GatewayMisconfigured as error:
        log.warning("account_not_checked", error=str(error))
        return False
    other = other_account(wiring, standing)
    if other is not None:
        raise SettingsInvalid(
            f"RECOVERY_STRIPE_SECRET_KEY belongs to {named(standing)}, the cases in this database to {other}: "
            "correct the key, or name a database of its own in RECOVERY_DATABASE_URL"
        )
    with wiring.database.begin() as tx:
        raise_flag(tx, GATEWAY_ACCOUNT, named(standing), at=wiring.door.clock())
    return True


def kept_at_start(wiring: Wiring) -> None:
    """The same where a process starts: with the gateway away it starts all the same, and asks before its first work there."""
    try:
        keep_account(wiring)
    except GatewayError as error:
        log.warning("account_not_checked", error=str(error))


@dataclass(slots=True, kw_only=True)
class AccountKept:
    """Asks before work at the gateway until it was answered once. Raises what keep_account raises."""

    tick: Callable[[], float] = time.monotonic
    _answered: bool = False
    _again_at: float | None = None

    def __call__(self, wiring: Wiring) -> None:
        if self._answered or (self._again_at is not None and self.tick() < self._again_at):
            return
        self._answered = keep_account(wiring)
        self._again_at = self.tick() + ASK_AGAIN_SECONDS


def other_account(wiring: Wiring, standing: Standing) -> str | None:
    """Whose the cases are, if not the key's."""
    with wiring.database.connect() as tx:
        known = [flag.detail for flag in read_flags(tx, GATEWAY_ACCOUNT)]
    return known[0] if known and known[0] != named(standing) else None


def named(standing: Standing) -> str:
    """An account and its mode in words."""
    return f"{standing.account} ({'live' if standing.livemode else 'test'} mode)"
