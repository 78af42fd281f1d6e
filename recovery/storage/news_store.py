"""What events said of subscriptions between two listings. Without it a cancelled subscription would be looked after for another day.

An event only says where to look: the look-ahead reads what it names, in its own time and within the gateway's rate.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, literal, select

from recovery.storage.card_tables import renewal_news, renewals
from recovery.storage.moment import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """The lines about one subscription, and the kinds of the events that they came from."""

    ids: tuple[int, ...]
    kinds: frozenset[str]


def note_subscription_news(tx: Connection, gateway: str, subscription: str, *, kind: str, moment: Moment) -> None:
    """An event spoke of this subscription."""
    line = {"gateway": gateway, "subscription": subscription, "kind": kind, "heard_at": moment.now}
    tx.execute(insert(renewal_news).values(line))


def note_card_news(tx: Connection, gateway: str, customer: str, *, kind: str, moment: Moment) -> None:
    """An event spoke of a customer's cards: their renewals to come are looked at again, if any are known."""
    to_come = (
        select(renewals.c.gateway, renewals.c.subscription, literal(kind), literal(moment.now))
        .where(renewals.c.gateway == gateway, renewals.c.customer == customer, renewals.c.renews_at > moment.now)
        .distinct()
    )
    tx.execute(insert(renewal_news).from_select(["gateway", "subscription", "kind", "heard_at"], to_come))


def news_waiting(tx: Connection, gateway: str, *, limit: int) -> Mapping[str, News]:
    """The subscriptions that were spoken of, the longest waiting first, each with all its lines."""
    first = (
        select(renewal_news.c.subscription)
        .where(renewal_news.c.gateway == gateway)
        .order_by(renewal_news.c.id)
        .limit(limit)
        .subquery()
    )
    lines = select(renewal_news.c.id, renewal_news.c.subscription, renewal_news.c.kind).where(
        renewal_news.c.gateway == gateway, renewal_news.c.subscription.in_(select(first.c.subscription))
    )
    found: dict[str, News] = {}
    for line, subscription, kind in tx.execute(lines.order_by(renewal_news.c.id)):
        known = found.get(subscription, News(ids=(), kinds=frozenset()))
        found[subscription] = News(ids=(*known.ids, line), kinds=known.kinds | {kind})
    return found


def drop_news(tx: Connection, gateway: str, ids: Collection[int] | None = None) -> None:
    """These lines were heeded; all of them where nobody looks ahead."""
    mine = delete(renewal_news).where(renewal_news.c.gateway == gateway)
    tx.execute(mine if ids is None else mine.where(renewal_news.c.id.in_(ids)))
