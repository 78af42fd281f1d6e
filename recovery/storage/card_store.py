"""What counts against a card, over all cases and whoever tried. Without it each case would believe itself alone on the card."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, text

from recovery.cases.lifecycle import OPEN_ATTEMPTS, AttemptStatus
from recovery.cases.rules import CardUse
from recovery.money import Money
from recovery.storage.tables import attempts, foreign_charges
from recovery.timing.budgets import Use

LOOK_BACK_DAYS = 31
"""One day more than the longest window that a network rolls (30 days)."""


def lock_card(tx: Connection, budget_key: str) -> None:
    """Hold a card's budget until the transaction ends, so that two cases never reserve its last try together."""
    tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(text(":key"), 0))), {"key": budget_key})


def card_use(tx: Connection, budget_key: str | None, *, now: datetime) -> CardUse:
    """All attempts on a card in the last LOOK_BACK_DAYS that count: ours on any case, the gateway's, the customer's."""
    if budget_key is None:
        return CardUse(budget_key="", uses=())
    since = now - timedelta(days=LOOK_BACK_DAYS)
    ours = tx.execute(
        select(attempts.c.started_at, attempts.c.amount_minor, attempts.c.currency, attempts.c.status).where(
            attempts.c.budget_key == budget_key, attempts.c.counts, attempts.c.started_at > since
        )
    )
    theirs = tx.execute(
        select(foreign_charges.c.at, foreign_charges.c.amount_minor, foreign_charges.c.currency).where(
            foreign_charges.c.budget_key == budget_key, foreign_charges.c.counts, foreign_charges.c.at > since
        )
    )
    uses = [
        Use(
            at=at,
            amount=Money(minor=minor, currency=currency),
            declined=None if AttemptStatus(status) in OPEN_ATTEMPTS else status != AttemptStatus.SUCCEEDED,
        )
        for at, minor, currency, status in ours
    ]
    uses += [Use(at=at, amount=Money(minor=minor, currency=currency), declined=True) for at, minor, currency in theirs]
    return CardUse(budget_key=budget_key, uses=tuple(sorted(uses, key=lambda use: use.at)))
