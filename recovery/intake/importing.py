"""Brings in what the gateway knows from before. Without it churn would have no denominator until every customer had failed once, and
the networks' budgets would begin empty on cards that were tried yesterday.

Each part is read page by page, and each page is kept with the place where the next begins: interrupted, an import goes on from there;
finished, the next one reads everything again and replaces what changed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine

from recovery.gateways.port import Gateway
from recovery.storage.card_history import note_imported_cards
from recovery.storage.past_store import save_charges, save_invoices
from recovery.storage.subscription_store import (
    Progress,
    current_customers,
    progress_of,
    save_progress,
    save_subscriptions,
)

LOOKED_BACK: Final = timedelta(days=731)
"""How far back invoices and charges are read: twenty-four months."""

CARDS_AT_ONCE: Final = 20
"""Customers whose cards are read before the place is kept; each is a few calls."""

Save = Callable[[Connection, datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an import works with. ``now`` is business time; ``wait`` is called before each page, for the gateway's rate limit."""

    database: Engine
    gateway: Gateway
    now: datetime
    machine_clock: Callable[[], datetime]
    wait: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: how many rows it has, how to keep them, and what the next begins behind."""

    count: int
    save: Save
    last: str | None


def import_all(around: Surroundings) -> Iterator[tuple[str, Progress]]:
    """Subscriptions, invoices, charges and cards, each as it is done. Raises the gateway's and the database's errors."""
    for name, read in (
        ("subscriptions", _subscriptions),
        ("invoices", _invoices),
        ("charges", _charges),
        ("cards", _cards),
    ):
        yield name, _paged(around, name, read)


def import_subscriptions(around: Surroundings) -> Progress:
    """The subscriptions alone: all there ever were."""
    return _paged(around, "subscriptions", _subscriptions)


def _paged(around: Surroundings, name: str, read: Callable[[Surroundings, str | None], Page]) -> Progress:
    with around.database.begin() as tx:
        progress = progress_of(tx, name)
    if progress is None or progress.finished_at is not None:
        progress = Progress(behind=None, read=0, begun_at=around.machine_clock(), finished_at=None)
    while progress.finished_at is None:
        around.wait()
        page = read(around, progress.behind)
        now = around.machine_clock()
        progress = Progress(
            behind=page.last,
            read=progress.read + page.count,
            begun_at=progress.begun_at,
            finished_at=None if page.last is not None else now,
        )
        with around.database.begin() as tx:
            page.save(tx, now)
            save_progress(tx, name, progress)
    return progress


def _subscriptions(around: Surroundings, behind: str | None) -> Page:
    found = around.gateway.subscriptions_page(behind=behind)

    def save(tx: Connection, machine_now: datetime) -> None:
        save_subscriptions(tx, found.subscriptions, read_at=machine_now, at=around.now)

    return Page(count=len(found.subscriptions), save=save, last=found.last)


def _invoices(around: Surroundings, behind: str | None) -> Page:
    found = around.gateway.invoices_page(since=around.now - LOOKED_BACK, behind=behind)
    return Page(count=len(found.invoices), save=lambda tx, _: save_invoices(tx, found.invoices), last=found.last)


def _charges(around: Surroundings, behind: str | None) -> Page:
    found = around.gateway.charges_page(since=around.now - LOOKED_BACK, behind=behind)
    return Page(count=len(found.charges), save=lambda tx, _: save_charges(tx, found.charges), last=found.last)


def _cards(around: Surroundings, behind: str | None) -> Page:
    """The cards of those who have a subscription now; who left is not charged any more."""
    with around.database.connect() as tx:
        people = current_customers(tx, behind=behind, limit=CARDS_AT_ONCE)
    read = []
    for number, (customer, subscription) in enumerate(people):
        if number:
            around.wait()
        read.append((customer, around.gateway.cards_of(customer, subscription)))

    def save(tx: Connection, machine_now: datetime) -> None:
        for customer, cards in read:
            note_imported_cards(tx, around.gateway.name, customer, cards, at=around.now, machine_now=machine_now)

    return Page(count=len(people), save=save, last=people[-1][0] if len(people) == CARDS_AT_ONCE else None)
