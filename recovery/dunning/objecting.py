"""Remembers who wants no emails. Without it a customer who unsubscribed would be written to about next month's invoice.

First by the gateway's id of the customer: that needs neither the gateway nor a key, and is committed before anybody is told that it is
done. Then by the address's hash, for the same person under another id; what the gateway cannot tell at that moment is read later.
"""

import structlog

from recovery.cases.facts import MailStopped
from recovery.dunning.addresses import Addresses
from recovery.engine.advance import advance
from recovery.engine.door import Door
from recovery.gateways.port import Gateway, GatewayError, GatewayRefused, NotFound
from recovery.storage.case_store import cases_of
from recovery.storage.objection_store import address_is_listed, keep_objection, unlisted
from recovery.storage.suppression_store import suppress

log = structlog.get_logger(__name__)

UNLISTED_BATCH = 100
"""Addresses read in one go at most: a reading each."""

AWAY_MAX = 3
"""So many readings in a row without an answer, and the gateway is away; an answer that refuses one invoice says nothing of the next."""


def unsubscribe(door: Door, customer: str) -> None:
    """End the emails to a customer, in all cases that there are and will be. Raises the database's errors when it is away."""
    with door.database.begin() as tx:
        keep_objection(tx, customer, "unsubscribed", at=door.clock())
        known = cases_of(tx, customer=customer)
    for case_id in known:
        advance(door, case_id, MailStopped(why="the customer unsubscribed"))


def list_addresses(
    door: Door,
    gateway: Gateway,
    addresses: Addresses | None,
    *,
    customer: str | None = None,
    limit: int = UNLISTED_BATCH,
) -> int:
    """Put the addresses of those who object on the list, where that is not done; how many. A gateway that is away is asked later."""
    if addresses is None:
        return 0
    with door.database.connect() as tx:
        waiting = unlisted(tx, customer=customer, limit=limit)
    done = away = 0
    for each in waiting:
        if away == AWAY_MAX:
            break
        try:
            address = gateway.read_contact(each.obligation).email
        except NotFound:
            address = None
        except GatewayError as error:
            log.warning("address_not_listed_yet", error=type(error).__name__)
            away = 0 if isinstance(error, GatewayRefused) else away + 1
            continue
        away = 0
        with door.database.begin() as tx:
            if address is not None:
                suppress(tx, addresses.hashed(address), each.reason, at=each.since)
            address_is_listed(tx, each.customer)
        done += 1
    return done
