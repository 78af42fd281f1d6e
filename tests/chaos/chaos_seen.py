"""What was seen of a round from outside: the sandbox's ledger, its API, its witness's notes and the mailbox, as the checkers want it.

Without it the checkers of the simulation could not be asked about real processes. None of the engine's readings is used: the JSON is
read anew here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from chaos_stack import Installation
from sim_books import Booked, Books, Called, Customer, Invoice, Mailed, Returned, Since
from sim_view import Seen, View, Visited, rows_of
from urllib3 import PoolManager

from recovery.cases.obligation import ChargeStatus, ObligationStatus
from recovery.cases.wallet import KeptCard, Place, Wallet
from recovery.declines.signals import Card, Initiator, Signals
from recovery.gateways.port import Notice
from recovery.money import Money
from recovery.runtime.knowledge import load_knowledge
from recovery.runtime.worlds import START_AT
from recovery.simulation.world.places import PLACES

LATE = timedelta(seconds=60)
"""A driven clock stands still while anything is under way; leases of a round are short, and a slow machine is slow."""

_OUTCOMES = {"succeeded": ChargeStatus.SUCCEEDED, "processing": ChargeStatus.PENDING}
_FACE = ("brand", "funding", "country", "last4", "exp_month", "exp_year", "fingerprint")
Json = dict[str, Any]


def view_of(made: Installation) -> View:
    """Everything that the checkers may look at after a round."""
    sandbox = _Sandbox(f"http://127.0.0.1:{made.gateway_proxy.target}")
    notes: dict[str, list[Json]] = {}
    for line in made.seen_file.read_text().splitlines():
        note = json.loads(line)
        notes.setdefault(note["what"], []).append(note)
    events = list(reversed(list(sandbox.listed("events"))))
    mails = zip(made.caught.message_ids(), made.world.mailed_at, strict=True)
    seen = Seen(
        books=_books(made.world.ledger(), sandbox, notes, events),
        notices={event["id"]: _notice(event) for event in events},
        accepted={note["event"]: _at(note["at"]) for note in reversed(notes.get("accepted", []))},
        mails=[Mailed(message_id=name, at=at, machine_at=machine_at) for name, (at, machine_at) in mails],
        editions=[(START_AT, load_knowledge(made.scale.config))],
        visits=Visited(),  # nobody opens a page in a round: what visits lead to is the simulation's to judge
        driven=True,
        late=LATE,
    )
    return View(rows_of(made.database), seen)


@dataclass(frozen=True, slots=True)
class _Sandbox:
    """The sandbox's API as any merchant reads it."""

    url: str

    def listed(self, path: str, **asked: str) -> Iterator[Json]:
        """All objects of a list, newest first."""
        behind: dict[str, str] = {}
        with PoolManager(headers={"Authorization": "Bearer sk_test_sandbox"}) as pool:
            while True:
                page = pool.request(
                    "GET", f"{self.url}/v1/{path}?{urlencode({'limit': '100', **asked, **behind})}"
                ).json()
                yield from page["data"]
                if not page["has_more"]:
                    return
                behind = {"starting_after": page["data"][-1]["id"]}


def _books(ledger: Json, sandbox: _Sandbox, notes: dict[str, list[Json]], events: list[Json]) -> Books:
    books = Books()
    subscriptions = {row["id"]: row for row in sandbox.listed("subscriptions", status="all")}
    for row in sandbox.listed("customers"):
        methods = {each["id"]: each for each in sandbox.listed("payment_methods", customer=row["id"])}
        default = row["invoice_settings"]["default_payment_method"]
        cards = [_card(name, each["card"]) for name, each in methods.items()]
        books.saved_at |= {name: _second(each["created"]) for name, each in methods.items()}
        found = next((card for card in cards if card.payment_method == default), None)
        country, state = row["address"]["country"], row["address"]["state"]
        zone = next((place.zones[state] for place in PLACES if place.country == country), None)
        books.customers[row["id"]] = Customer(id=row["id"], default=found, own_cards=cards, country=country, zone=zone)
    for row in sandbox.listed("invoices"):
        books.invoices[row["id"]] = _invoice(row, subscriptions, books)
    landed = {note["charge"]: _at(note["machine_at"]) for note in reversed(notes.get("booked", []))}
    shown = {row["id"]: row for row in sandbox.listed("charges")}
    for entry in ledger["charges"]:  # a processing one is written twice: its end counts
        books.charges[entry["charge"]] = _charge(entry, shown[entry["charge"]], landed[entry["charge"]])
    for move in (*ledger["refunds"], *ledger["disputes"]):
        books.returned[move["id"]] = _returned(move, books.returned.get(move["id"]))
    books.calls = [_call(note, books) for note in notes.get("called", [])]
    for note in notes.get("shown", []):
        for invoice, placed in note["wallets"].items():
            books.shown.setdefault(invoice, []).append((_at(note["machine_at"]), _wallet(placed)))
    _arrivals(books, events)
    return books


def _invoice(row: Json, subscriptions: dict[str, Json], books: Books) -> Invoice:
    subscription = subscriptions[row["parent"]["subscription_details"]["subscription"]]
    cards = books.customers[row["customer"]].own_cards
    own = next((card for card in cards if card.payment_method == subscription["default_payment_method"]), None)
    ended = [row["status_transitions"][name] for name in ("voided_at", "marked_uncollectible_at")]
    return Invoice(
        id=row["id"],
        customer=row["customer"],
        subscription=subscription["id"],
        status=ObligationStatus(row["status"]),
        remaining=Money(minor=row["amount_remaining"], currency=row["currency"]),
        created_at=_second(row["created"]),
        card=own,
        since=_since(subscription),
        subscription_ended_at=_second(subscription["ended_at"]) if subscription["ended_at"] else None,
        ended_at=next((_second(at) for at in ended if at), None),
        paid_at=_second(row["status_transitions"]["paid_at"]) if row["status_transitions"]["paid_at"] else None,
    )


def _since(subscription: Json) -> Since:
    recurring = subscription["items"]["data"][0]["price"]["recurring"]
    trial = subscription["trial_end"]
    return Since(
        subscribed_at=_second(subscription["start_date"]),
        trial_ended_at=_second(trial) if trial else None,
        interval=recurring["interval"],
    )


def _charge(entry: Json, shown: Json, machine_at: datetime) -> Booked:
    initiator = entry["initiator"]
    status = _OUTCOMES.get(entry["outcome"], ChargeStatus.FAILED)
    return Booked(
        id=entry["charge"],
        obligation=entry["invoice"],
        key=entry["idempotency_key"] if initiator == "engine" else None,
        initiator=Initiator(initiator) if initiator != "world" else Initiator.GATEWAY,
        amount=Money(minor=entry["amount_minor"], currency=entry["currency"]),
        at=_at(entry["at"]).replace(microsecond=0),
        machine_at=machine_at,
        status=status,
        card=_card(entry["payment_method"], shown["payment_method_details"]["card"]),
        signals=_signals(entry, shown) if status is ChargeStatus.FAILED else None,
    )


def _signals(entry: Json, shown: Json) -> Signals:
    outcome = shown["outcome"]
    return Signals(
        error_code=shown["failure_code"],
        decline_code=entry["decline_code"],
        network_decline_code=outcome["network_decline_code"],
        network_advice_code=outcome["network_advice_code"],
        outcome_type=outcome["type"],
        outcome_reason=outcome["reason"],
        reached_network=outcome["network_status"] != "not_sent_to_network",
    )


def _returned(move: Json, before: Returned | None) -> Returned:
    status = {"refund": "succeeded", "refund_failed": "failed", "dispute_opened": "needs_response"}.get(move["kind"])
    return Returned(
        id=move["id"],
        charge=move["charge"],
        obligation=move["invoice"],
        amount=Money(minor=move["amount_minor"], currency=move["currency"]),
        at=before.at if before else _at(move["at"]).replace(microsecond=0),
        status=status or move["kind"].removeprefix("dispute_"),
        dispute=move["kind"].startswith("dispute"),
    )


def _call(note: Json, books: Books) -> Called:
    made = books.by_key(note["key"])
    return Called(
        key=note["key"],
        obligation=note["invoice"],
        at=_at(note["at"]),
        machine_at=_at(note["machine_at"]),
        landed_at=made.machine_at if made else None,
    )


def _wallet(placed: list[tuple[str, Json]]) -> Wallet:
    kept: dict[str, KeptCard] = {}
    for place, method in placed:
        card = KeptCard(
            card=_card(method["id"], method["card"]), place=Place(place), saved_at=_second(method["created"])
        )
        kept.setdefault(method["id"], card)
    return Wallet(default=next((each.card for each in kept.values()), None), cards=tuple(kept.values()))


def _arrivals(books: Books, events: list[Json]) -> None:
    """Details that came to be charged by default: saved by the customer, or told by the networks."""
    saved = {card.payment_method: card for customer in books.customers.values() for card in customer.own_cards}
    for event in events:
        thing, before = event["data"]["object"], event["data"].get("previous_attributes") or {}
        if event["type"] == "payment_method.attached":
            saved[thing["id"]] = _card(thing["id"], thing["card"])
        elif event["type"] == "payment_method.automatically_updated":
            card = _card(thing["id"], thing["card"])
            books.arrived.append((_second(event["created"]), thing["customer"], card, False))
        elif event["type"] == "customer.updated" and "invoice_settings" in before:
            card = saved[thing["invoice_settings"]["default_payment_method"]]
            books.arrived.append((_second(event["created"]), thing["id"], card, True))


def _notice(event: Json) -> Notice:
    """What the checkers ask of an event: whom it is about."""
    thing = event["data"]["object"]
    about = {"invoice": thing["id"]} if thing["object"] == "invoice" else {}
    named = {name: thing[name] for name in ("invoice", "charge", "customer") if isinstance(thing.get(name), str)}
    return Notice(
        id=event["id"],
        kind=event["type"],
        livemode=False,
        created_at=_second(event["created"]),
        object_id=thing["id"],
        content=named | about,
    )


def _card(name: str, details: Json) -> Card:
    return Card(payment_method=name, **{field: details[field] for field in _FACE})


def _second(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, tz=UTC)


def _at(instant: str) -> datetime:
    return datetime.fromisoformat(instant)
