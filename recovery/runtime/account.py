"""Keeps one database to one account of the gateway. Without it a test key on live cases finds none of their invoices, and each
case that falls due goes to a person."""

import structlog

from recovery.gateways.port import GatewayMisconfigured, GatewayUnavailable, Standing
from recovery.runtime.settings import SettingsInvalid
from recovery.runtime.wiring import Wiring
from recovery.storage.flag_store import GATEWAY_ACCOUNT, raise_flag, read_flags

log = structlog.get_logger(__name__)


def keep_account(wiring: Wiring) -> None:
    """Note whose key this is at the first start, and refuse another's from then on. Raises SettingsInvalid.

    With the gateway away nobody can tell; then work begins all the same, as it finds the gateway away as well.
    """
    if wiring.settings.stripe_secret_key is None:
        return
    try:
        standing = wiring.gateway.standing()
    except (GatewayUnavailable, GatewayMisconfigured) as error:
        log.warning("account_not_checked", error=str(error))
        return
    other = other_account(wiring, standing)
    if other is not None:
        raise SettingsInvalid(
            f"RECOVERY_STRIPE_SECRET_KEY belongs to {named(standing)}, the cases in this database to {other}: "
            "correct the key, or name a database of its own in RECOVERY_DATABASE_URL"
        )
    with wiring.database.begin() as tx:
        raise_flag(tx, GATEWAY_ACCOUNT, named(standing), at=wiring.door.clock())


def other_account(wiring: Wiring, standing: Standing) -> str | None:
    """Whose the cases are, if not the key's."""
    with wiring.database.connect() as tx:
        known = [flag.detail for flag in read_flags(tx, GATEWAY_ACCOUNT)]
    return known[0] if known and known[0] != named(standing) else None


def named(standing: Standing) -> str:
    """An account and its mode in words."""
    return f"{standing.account} ({'live' if standing.livemode else 'test'} mode)"
