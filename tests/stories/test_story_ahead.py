"""Cards that expire before their charge, seen before anything fails."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from story_house import Ways
from story_support import Begin, Life

from recovery.cases.updating import Freshness, Updated, UpdaterWay
from recovery.charging.lookahead import LookAhead
from recovery.declines.signals import Card
from recovery.gateways.port import Gateway, GatewayRefused, GatewayUnavailable, Renewal, RenewalPage
from recovery.storage.renewal_store import Prevented, prevented

pytest_plugins = ["story_fixtures"]


@dataclass
class Wrapped:
    """The real gateway with one way of its own."""

    real: Gateway
    updater: UpdaterWay = UpdaterWay.PASSIVE
    fails: int = 0
    unreadable: str = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def ask_updater(self, card: Card) -> Freshness:
        return Updated(card=Card(payment_method=card.payment_method, exp_month=1, exp_year=2040), changed=("expiry",))

    def renewal(self, subscription: str) -> Renewal | None:
        if subscription == self.unreadable:
            raise GatewayRefused("400 for this one, for ever")
        return self.real.renewal(subscription)

    def renewals(self, behind: str | None) -> RenewalPage:
        if self.fails:
            self.fails -= 1
            raise GatewayUnavailable("timeout")
        return self.real.renewals(behind)


def _subscribe(life: Life, **card: Any) -> tuple[str, str]:
    """A monthly subscription from three weeks ago, so that it renews in ten days; customer and card."""
    customer = life.sandbox.make_customer()
    method = life.sandbox.make_card(customer, **card)
    life.sandbox.make_subscription(customer)
    return customer, method


def _subscription(life: Life, customer: str) -> str:
    with life.sandbox.core.store.lock:
        return str(next(life.sandbox.core.store.newest("subscription", "customer", customer))["id"])


def _on_trial(life: Life, subscription: str, *, days: int) -> None:
    with life.sandbox.core.store.lock:
        found = life.sandbox.core.store.get("subscription", subscription)
        found["status"] = "trialing"
        found["items"]["data"][0]["current_period_end"] = int((life.now + timedelta(days=days)).timestamp())


def _counts(life: Life) -> Prevented:
    with life.wiring.database.connect() as tx:
        return prevented(tx)


def _next_day(life: Life) -> None:
    life.house.clock.set(life.now + timedelta(days=1))
    life.wiring.look_ahead()


def test_what_the_gateway_updates_by_itself_is_credited_to_the_gateway(begin: Begin) -> None:
    life = begin()
    dying = {"exp_month": 10, "exp_year": 2026}  # it renews on 5 November
    _, pushed = _subscribe(life, **dying)
    customer, _ = _subscribe(life, **dying)
    _subscribe(life, **dying)
    _subscribe(life, exp_month=11, exp_year=2026)
    life.run(days=21)
    life.wiring.look_ahead()
    assert _counts(life) == Prevented(seen=4, at_risk=3, by_gateway=0, by_engine=0, by_customer=0)
    life.sandbox.refresh_card(pushed, exp_month=10, exp_year=2030)
    life.sandbox.make_card(customer, exp_month=10, exp_year=2030)
    life.wiring.look_ahead()
    assert _counts(life).by_gateway == 0, "one round a day"
    _next_day(life)
    _next_day(life)
    assert _counts(life) == Prevented(seen=4, at_risk=3, by_gateway=1, by_engine=0, by_customer=1)
    assert life.mails.messages == []


def test_what_we_asked_for_is_ours(begin: Begin) -> None:
    life = begin(ways=Ways(gateway=lambda real: Wrapped(real, updater=UpdaterWay.ON_DEMAND)))
    _subscribe(life, exp_month=10, exp_year=2026)
    life.run(days=21)
    life.wiring.look_ahead()
    assert _counts(life) == Prevented(seen=1, at_risk=1, by_gateway=0, by_engine=1, by_customer=0)


def test_a_round_goes_on_where_it_stopped(begin: Begin) -> None:
    life = begin()
    life.lose_webhooks()
    for _ in range(101):
        _subscribe(life, exp_month=10, exp_year=2026)
    life.run(days=21)
    gateway = Wrapped(life.wiring.gateway)
    slow = LookAhead(life.wiring.door, gateway, days=14, pages_max=1)
    assert slow() == 1
    assert _counts(life).seen == 100
    gateway.fails = 1
    assert slow() == 0, "the gateway is away; the page is still to come"
    assert slow() == 1
    assert _counts(life).at_risk == 101
    assert slow() == 0, "the day's round is done"


def test_events_keep_the_list_true_between_two_rounds(begin: Begin) -> None:
    life = begin()
    dying: dict[str, Any] = {"exp_month": 10, "exp_year": 2026}
    leaver, _ = _subscribe(life, **dying)
    mover, entered = _subscribe(life, **dying)
    life.run(days=21)
    life.wiring.look_ahead()
    assert _counts(life) == Prevented(seen=2, at_risk=2, by_gateway=0, by_engine=0, by_customer=0)

    life.sandbox.cancel_subscription(_subscription(life, leaver))
    life.merchant(f"payment_methods/{entered}", **{"card[exp_year]": "2031"})
    late = life.sandbox.make_customer()
    life.sandbox.make_card(late, **dying)
    trial = life.sandbox.make_subscription(late)
    _on_trial(life, trial, days=9)
    life.work()
    life.wiring.look_ahead()
    assert _counts(life) == Prevented(seen=2, at_risk=2, by_gateway=0, by_engine=0, by_customer=1)
    assert life.count("SELECT count(*) FROM renewal_news") == 0
    assert life.count(f"SELECT count(*) FROM renewals WHERE subscription = '{trial}' AND at_risk") == 1
    assert life.mails.messages == []

    life.lose_webhooks()
    life.sandbox.cancel_subscription(_subscription(life, mover))
    _next_day(life)
    assert _counts(life).seen == 1, "what no event told the next round shows"


def test_news_of_what_cannot_be_read_hold_up_no_other_and_no_round(begin: Begin) -> None:
    life = begin()
    dying: dict[str, Any] = {"exp_month": 10, "exp_year": 2026}
    ill, well = _subscribe(life, **dying), _subscribe(life, **dying)
    life.work()
    wiring = life.wiring
    gateway = Wrapped(wiring.gateway, unreadable=_subscription(life, ill[0]))
    look = LookAhead(wiring.door, gateway, days=30)
    assert life.count("SELECT count(*) FROM renewal_news") == 2
    assert look() > 0, "the day's pages are read all the same"
    assert life.count("SELECT count(*) FROM renewal_news") == 0
    assert life.count(f"SELECT count(*) FROM renewals WHERE subscription = '{_subscription(life, well[0])}'") == 1


def test_where_nobody_looks_ahead_nothing_piles_up(begin: Begin) -> None:
    life = begin(ways=Ways(more={"lookahead_days": 0}))
    _subscribe(life)
    life.work()
    assert life.count("SELECT count(*) FROM renewal_news") == 1
    life.wiring.look_ahead()
    assert life.count("SELECT count(*) FROM renewal_news") + life.count("SELECT count(*) FROM renewals") == 0
