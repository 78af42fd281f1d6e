"""Looks ahead at renewals, once a day, page by page. Without it a card that expires before the charge is noticed when it fails.

Nothing is charged and nobody is written to. A round is resumable: the cursor is committed with the page, and two workers on one page
change nothing twice. Between rounds events name what to read again. Rate: at most PAGES_MAX pages and NEWS_MAX readings a ring.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from recovery.cases.updating import Updated, UpdaterWay
from recovery.engine.door import Door
from recovery.gateways.port import Gateway, GatewayError, GatewayMisconfigured, GatewayUnavailable, NotFound, Renewal
from recovery.storage.connect import reading
from recovery.storage.news_store import News, drop_news, news_waiting
from recovery.storage.renewal_store import Ahead, begin_round, keep_heard, keep_page, known_ahead

log = structlog.get_logger(__name__)

PAGES_MAX = 10
"""Pages of a hundred subscriptions a ring: far below any gateway's limit, and a million subscriptions still fit into a day."""

NEWS_MAX = 100
"""Subscriptions read by themselves a ring, because events named them: as gentle as the pages."""

_NO_NEWS = News(ids=(), kinds=frozenset())

_ENTERED = "payment_method.updated"
"""Somebody changed a stored card through the gateway's interface; what its updater brings has a name of its own."""


@dataclass(frozen=True, slots=True)
class LookAhead:
    """One round a day of business time. ``days`` is how far ahead; 0 switches it off."""

    door: Door
    gateway: Gateway
    days: int
    pages_max: int = PAGES_MAX

    def __call__(self) -> int:
        """Read the next pages of today's round; returns how many. A gateway that is away ends the ring, not the round."""
        if not self._heed_news():
            return 0
        pages = 0
        while self.days > 0 and pages < self.pages_max:
            with self.door.database.begin() as tx:
                cursor = begin_round(tx, self.gateway.name, self.door.moment())
            if cursor is None:
                break
            try:
                self._page(cursor)
            except GatewayError as error:
                log.warning("look_ahead_stopped", error=type(error).__name__)
                break
            pages += 1
        return pages

    def _heed_news(self) -> bool:
        """Read what events named, a bounded number; False when the gateway is away."""
        gateway = self.gateway.name
        if self.days <= 0:
            with self.door.database.begin() as tx:
                drop_news(tx, gateway)
            return False
        with reading(self.door.database) as tx:
            waiting = news_waiting(tx, gateway, limit=NEWS_MAX)
        for subscription, news in waiting.items():
            try:
                renewal = self.gateway.renewal(subscription)
            except (GatewayUnavailable, GatewayMisconfigured) as error:
                log.warning("look_ahead_stopped", error=type(error).__name__)
                return False
            except GatewayError as error:
                # It can never be read: what the round knows of the subscription stays, and the news behind it have their turn.
                log.warning("news_unreadable", subscription=subscription, error=str(error))
                with self.door.database.begin() as tx:
                    drop_news(tx, gateway, news.ids)
                continue
            with reading(self.door.database) as tx:
                known = known_ahead(tx, gateway, [subscription])
            near = renewal if renewal is not None and self._near(renewal) else None
            seen = self._seen(near, known.get((subscription, near.renews_at)), news) if near else None
            with self.door.database.begin() as tx:
                keep_heard(tx, gateway, subscription, seen, moment=self.door.moment())
                drop_news(tx, gateway, news.ids)
        return True

    def _near(self, renewal: Renewal) -> bool:
        now = self.door.clock()
        return now < renewal.renews_at <= now + timedelta(days=self.days)

    def _page(self, cursor: str) -> None:
        try:
            page = self.gateway.renewals(cursor or None)
        except NotFound:
            # The subscription that the cursor named is gone: today's round begins anew.
            with self.door.database.begin() as tx:
                keep_page(tx, self.gateway.name, (), cursor=cursor, behind="", moment=self.door.moment())
            return
        if page.odd:
            log.warning("renewals_unreadable", odd=page.odd)
        near = [renewal for renewal in page.renewals if self._near(renewal)]
        with reading(self.door.database) as tx:
            known = known_ahead(tx, self.gateway.name, [renewal.subscription for renewal in near])
        seen = tuple(self._seen(renewal, known.get((renewal.subscription, renewal.renews_at))) for renewal in near)
        with self.door.database.begin() as tx:
            keep_page(tx, self.gateway.name, seen, cursor=cursor, behind=page.behind, moment=self.door.moment())

    def _seen(self, renewal: Renewal, before: Ahead | None, news: News = _NO_NEWS) -> Ahead:
        """What this reading says of one renewal, and who is to be thanked if its card no longer expires before the charge."""
        card, credited = renewal.card, before.credited if before else None
        if expires_before(renewal) and card is not None and self.gateway.updater is UpdaterWay.ON_DEMAND:
            found = self.gateway.ask_updater(card)
            if isinstance(found, Updated):
                card, credited = found.card, "engine"
        at_risk = expires_before(replace(renewal, card=card))
        if before is not None and before.at_risk and not at_risk and card is not None and credited is None:
            same = before.card is not None and before.card.payment_method == card.payment_method
            credited = "gateway" if same and _ENTERED not in news.kinds else "customer"
        return Ahead(
            subscription=renewal.subscription,
            customer=renewal.customer,
            renews_at=renewal.renews_at,
            card=card,
            at_risk=at_risk,
            was_at_risk=at_risk or credited == "engine" or bool(before and before.was_at_risk),
            credited=None if at_risk else credited,
        )


def expires_before(renewal: Renewal) -> bool:
    """Whether the card's last month ends before the charge. Such a card may still be approved: network tokens go on."""
    card = renewal.card
    if card is None or not card.exp_year or not card.exp_month:
        return False
    year, month = card.exp_year + card.exp_month // 12, card.exp_month % 12 + 1
    return renewal.renews_at >= datetime(year, month, 1, tzinfo=renewal.renews_at.tzinfo)
