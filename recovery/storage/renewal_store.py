"""What looking ahead has seen, as rows, and how far the day's round has come. Without it each day would begin from nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.declines.signals import Card
from recovery.storage import codec
from recovery.storage.card_tables import lookahead_rounds, renewals
from recovery.storage.moment import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """One renewal to come, as last read.

    ``at_risk``: its card expires before the charge. ``credited`` tells who brought later details: the gateway by itself, the engine by
    asking, or the customer with another card.
    """

    subscription: str
    customer: str
    renews_at: datetime
    card: Card | None
    at_risk: bool
    was_at_risk: bool
    credited: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prevented:
    """How the cards fared that expired before their charge, when they were first read. No claim that a charge would have failed."""

    seen: int
    at_risk: int
    by_gateway: int
    by_engine: int
    by_customer: int


def begin_round(tx: Connection, gateway: str, moment: Moment) -> str | None:
    """Where today's round goes on: a cursor, "" at its start; None when it is done."""
    today = moment.now.date()
    fresh = {"gateway": gateway, "day": today, "cursor": "", "begun_at": moment.now}
    statement = pg_insert(lookahead_rounds).values(fresh)
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["gateway"],
            set_={"day": today, "cursor": "", "begun_at": moment.now},
            where=lookahead_rounds.c.day < today,
        )
    )
    found = select(lookahead_rounds.c.cursor).where(lookahead_rounds.c.gateway == gateway)
    cursor: str | None = tx.execute(found).scalar_one()
    return cursor


def known_ahead(tx: Connection, gateway: str, subscriptions: Sequence[str]) -> dict[tuple[str, datetime], Ahead]:
    """What earlier rounds saw of some subscriptions, by subscription and instant."""
    rows = tx.execute(
        select(renewals).where(renewals.c.gateway == gateway, renewals.c.subscription.in_(subscriptions))
    ).mappings()
    return {
        (row["subscription"], row["renews_at"]): Ahead(
            subscription=row["subscription"],
            customer=row["customer"],
            renews_at=row["renews_at"],
            card=codec.card_from(row["card"]),
            at_risk=row["at_risk"],
            was_at_risk=row["was_at_risk"],
            credited=row["credited"],
        )
        for row in rows
    }


def keep_page(
    tx: Connection, gateway: str, seen: Sequence[Ahead], *, cursor: str, behind: str | None, moment: Moment
) -> bool:
    """Keep one page and go on behind it; False when another worker did it first, and nothing is kept.

    With the last page whatever the round did not show any more goes: no charge is to come of it.
    """
    here = (lookahead_rounds.c.gateway == gateway) & (lookahead_rounds.c.cursor == cursor)
    if tx.execute(update(lookahead_rounds).where(here).values(cursor=behind)).rowcount == 0:
        return False
    _keep(tx, gateway, seen, moment)
    if behind is None:
        begun = select(lookahead_rounds.c.begun_at).where(lookahead_rounds.c.gateway == gateway).scalar_subquery()
        tx.execute(delete(renewals).where(_to_come(gateway, moment), renewals.c.read_at < begun))
    return True


def keep_heard(tx: Connection, gateway: str, subscription: str, seen: Ahead | None, *, moment: Moment) -> None:
    """Keep what reading one subscription by itself showed: its renewal to come, or that there is none within sight."""
    others = _to_come(gateway, moment) & (renewals.c.subscription == subscription)
    if seen is not None:
        others &= renewals.c.renews_at != seen.renews_at
    tx.execute(delete(renewals).where(others))
    _keep(tx, gateway, () if seen is None else (seen,), moment)


def _to_come(gateway: str, moment: Moment) -> ColumnElement[bool]:
    return (renewals.c.gateway == gateway) & (renewals.c.renews_at > moment.now)


def _keep(tx: Connection, gateway: str, seen: Sequence[Ahead], moment: Moment) -> None:
    if not seen:
        return
    statement = pg_insert(renewals)
    changed = {name: statement.excluded[name] for name in ("customer", "card", "at_risk", "was_at_risk", "credited")}
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["gateway", "subscription", "renews_at"],
            set_=changed | {"read_at": statement.excluded.read_at},
        ),
        [
            {
                "gateway": gateway,
                "subscription": one.subscription,
                "customer": one.customer,
                "renews_at": one.renews_at,
                "card": codec.card_json(one.card),
                "at_risk": one.at_risk,
                "was_at_risk": one.was_at_risk,
                "credited": one.credited,
                "read_at": moment.now,
            }
            for one in seen
        ],
    )


def prevented(tx: Connection) -> Prevented:
    """The counts over all renewals that were looked at."""
    total = func.count()
    row = tx.execute(
        select(
            total,
            total.filter(renewals.c.was_at_risk),
            *(total.filter(renewals.c.credited == who) for who in ("gateway", "engine", "customer")),
        ).select_from(renewals)
    ).one()
    return Prevented(seen=row[0], at_risk=row[1], by_gateway=row[2], by_engine=row[3], by_customer=row[4])
