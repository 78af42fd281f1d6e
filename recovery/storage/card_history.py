"""One history per card: what changed, when, and what drew our attention to it. Without it nobody could say why a card was charged.

Written in the commit of the reading that noticed a change; a reading that notices nothing writes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, exists, insert, literal, select
from sqlalchemy.dialects.postgresql import distinct_on

from recovery.cases.case import Case
from recovery.cases.updating import place_told
from recovery.cases.wallet import KeptCard, Place
from recovery.declines.signals import Card
from recovery.storage import codec
from recovery.storage.card_tables import card_history
from recovery.storage.moment import Moment
from recovery.storage.tables import attempts, cases, journal

CORRECTED = "its billing address was changed"

HEARD_OF = timedelta(hours=1)
"""A change that is read so soon after the gateway's news of it is credited to the news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLine:
    """One thing that happened with a card: ``what``, and for changes the ``signal`` that made us look."""

    at: datetime
    what: str
    signal: str | None = None
    case_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStory:
    """One payment method of a customer: as last read, where it stands (None: gone), and its history, oldest first."""

    card: Card
    place: Place | None
    lines: tuple[CardLine, ...]


def note_cards(tx: Connection, case: Case, cards: Sequence[KeptCard], *, moment: Moment) -> int:
    """Keep what a reading of the customer's cards changed; how many lines were written."""
    if tuple(cards) == case.wallet:
        return 0
    latest = _latest(tx, case.gateway, case.customer)
    noted = {kept.card.payment_method: kept.odd for kept in case.wallet}
    changes = list(_changes(latest, cards, noted))
    if not changes:
        return 0
    signal = _signal(tx, case, moment)
    common: dict[str, Any] = {"gateway": case.gateway, "customer": case.customer, "case_id": case.id, "signal": signal}
    common |= {"at": moment.now, "booked_at": moment.machine_now}
    tx.execute(insert(card_history), [common | change for change in changes])
    return len(changes)


def note_imported_cards(
    tx: Connection, gateway: str, customer: str, cards: Sequence[KeptCard], *, at: datetime, machine_now: datetime
) -> None:
    """Keep a customer's cards as an import read them; what is known already writes nothing."""
    latest = _latest(tx, gateway, customer)
    noted = {kept.card.payment_method: kept.odd for kept in cards if kept.card.payment_method in latest}
    changes = list(_changes(latest, cards, noted))
    common: dict[str, Any] = {"gateway": gateway, "customer": customer, "case_id": None, "signal": "imported"}
    common |= {"at": at, "booked_at": machine_now}
    if changes:
        tx.execute(insert(card_history), [common | change for change in changes])


def note_correction(tx: Connection, gateway: str, payment_method: str, *, at: datetime, moment: Moment) -> None:
    """Keep that a card's billing address was changed, once however often it is told; nothing for a card that was never read."""
    same = (card_history.c.gateway == gateway) & (card_history.c.payment_method == payment_method)
    told = exists().where(same, card_history.c.what == CORRECTED, card_history.c.at == at)
    kept = ("gateway", "customer", "payment_method", "place", "card")
    line = {"what": CORRECTED, "signal": "the gateway says so", "at": at, "booked_at": moment.machine_now}
    newest = select(
        *(card_history.c[name] for name in kept), *(literal(value).label(name) for name, value in line.items())
    )
    newest = newest.where(same, ~told).order_by(card_history.c.id.desc()).limit(1)
    tx.execute(insert(card_history).from_select([*kept, *line], newest))


def _latest(tx: Connection, gateway: str, customer: str) -> dict[str, tuple[Card, Place | None]]:
    newest = (
        select(card_history.c.payment_method, card_history.c.card, card_history.c.place)
        .where(card_history.c.customer == customer, card_history.c.gateway == gateway)
        .ext(distinct_on(card_history.c.payment_method))
        .order_by(card_history.c.payment_method, card_history.c.id.desc())
    )
    found = {}
    for name, card, place in tx.execute(newest):
        known = codec.card_from(card)
        assert known is not None
        found[name] = (known, Place(place) if place else None)
    return found


def _changes(
    latest: dict[str, tuple[Card, Place | None]], cards: Sequence[KeptCard], noted: Mapping[str, tuple[str, ...]]
) -> Iterator[dict[str, Any]]:
    for kept in cards:
        before = latest.pop(kept.card.payment_method, None)
        words = ["first seen", place_told(kept.place)] if before is None else []
        if before is not None:
            words = list(kept.card.differences(before[0]))
            words += [place_told(kept.place)] if before[1] is not kept.place else []
        if kept.odd and noted.get(kept.card.payment_method) != kept.odd:
            words.append(f"odd at the gateway: {', '.join(kept.odd)}")
        if words:
            yield _row(kept.card, kept.place, ", ".join(words))
    for card, place in latest.values():
        if place is not None:
            yield _row(card, None, "the gateway has it no more")


def _row(card: Card, place: Place | None, what: str) -> dict[str, Any]:
    values = {"payment_method": card.payment_method, "card": codec.card_json(card), "what": what}
    return values | {"place": place.value if place else None}


def customer_of_card(tx: Connection, gateway: str, payment_method: str) -> str | None:
    """Whose card it was when it was last read; None when it never was."""
    newest = (
        select(card_history.c.customer)
        .where(card_history.c.gateway == gateway, card_history.c.payment_method == payment_method)
        .order_by(card_history.c.id.desc())
        .limit(1)
    )
    found: str | None = tx.execute(newest).scalar_one_or_none()
    return found


def _signal(tx: Connection, case: Case, moment: Moment) -> str:
    news = (
        select(journal.c.reason)
        .where(journal.c.case_id == case.id, journal.c.fact == "PaymentMethodChanged")
        .where(journal.c.at > moment.now - HEARD_OF)
        .order_by(journal.c.id.desc())
        .limit(1)
    )
    reason = tx.execute(news).scalar_one_or_none()
    return reason.split(";")[0] if reason else "read again by ourselves"


def card_stories(tx: Connection, customer: str) -> tuple[CardStory, ...]:
    """All cards of a customer that we ever read, each with its history; empty when we know none."""
    lines: dict[str, list[CardLine]] = {}
    shown: dict[str, tuple[Card, Place | None]] = {}
    rows = select(card_history).where(card_history.c.customer == customer).order_by(card_history.c.id)
    for row in tx.execute(rows).mappings():
        card = codec.card_from(row["card"])
        assert card is not None
        shown[row["payment_method"]] = (card, Place(row["place"]) if row["place"] else None)
        line = CardLine(at=row["at"], what=row["what"], signal=row["signal"], case_id=row["case_id"])
        lines.setdefault(row["payment_method"], []).append(line)
    for name, line in _tries(tx, customer):
        if name in lines:
            lines[name].append(line)
    return tuple(
        CardStory(card=card, place=place, lines=tuple(sorted(lines[name], key=lambda line: line.at)))
        for name, (card, place) in shown.items()
    )


def _tries(tx: Connection, customer: str) -> Iterator[tuple[str, CardLine]]:
    ours = (
        select(attempts.c.card["payment_method"].astext, attempts.c.started_at, attempts.c.status, attempts.c.purpose)
        .add_columns(attempts.c.case_id, attempts.c.number)
        .join(cases, cases.c.id == attempts.c.case_id)
        .where(cases.c.customer == customer)
    )
    for name, at, status, purpose, case_id, number in tx.execute(ours):
        what = f"attempt {number} ({purpose.replace('_', ' ')}): {status.replace('_', ' ')}"
        yield name, CardLine(at=at, what=what, case_id=case_id)
