"""Settling a world in a sandbox: its people become customers, its plans become acts.

Without this seam the world would know HTTP objects, and could not be played without a server.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from recovery.simulation.sandbox import billing, givebacks, hosted
from recovery.simulation.sandbox.billing import Terms, new_subscription
from recovery.simulation.sandbox.cards import new_card
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json
from recovery.simulation.sandbox.events import emit
from recovery.simulation.sandbox.ledger import Cause
from recovery.simulation.sandbox.renewals import renew
from recovery.simulation.sandbox.templates import build
from recovery.simulation.sandbox.updater import refresh_card
from recovery.simulation.world import life
from recovery.simulation.world.build import World
from recovery.simulation.world.people import CardFace, Person

# A person who finds the invoice busy (somebody else is paying it) looks again a little later.
_LOOKS_AGAIN = timedelta(minutes=2)
_WALLET: Json = {"apple_pay": {}, "dynamic_last4": None, "type": "apple_pay"}


class Inhabitants:
    """The people of a world as customers of a sandbox."""

    def __init__(self, core: Core, world: World) -> None:
        self._core = core
        self._world = world
        self._customers: dict[int, str] = {}
        self._people: dict[str, Person] = {}
        self._by_email: dict[str, Person] = {}
        self._mails: dict[int, int] = {}
        self._subscriptions: dict[int, str] = {}
        self._methods: dict[tuple[int, str], str] = {}

    def move_in(self) -> None:
        """Make the customers (silently: they were there before) and plan what will happen."""
        core = self._core
        with core.store.lock:
            core.silent = True
            for person in self._world.people:
                self._settle(person)
                self._plan(person, life.beginnings(self._world.seed, self._world.parameters, person))
            core.silent = False
            core.bank = self._world
            core.mail_listeners.append(self._mailed)
            core.charge_listeners.append(self._charged)

    def _settle(self, person: Person) -> None:
        core, cause = self._core, Cause(initiator="world", at=person.since)
        empty = dict.fromkeys(("city", "line1", "line2", "postal_code"))
        customer = build(
            "customer",
            core.store.new_id("cus", person.email),
            address=empty | {"country": person.place.country, "state": person.home.state},
            created=cause.timestamp,
            currency=person.place.currency,
            email=person.email,
            name=person.name,
            preferred_locales=[person.place.locale],
        )
        core.store.add(customer)
        self._customers[person.index] = customer["id"]
        self._people[customer["id"]] = person
        self._by_email[person.email] = person
        method = self._method(person, person.card, cause)
        hosted.save_card_as_customer(core, customer["id"], method, cause)
        terms = _terms(person)
        named = method if person.names_own_card else None
        subscription = new_subscription(core, customer["id"], terms, cause, method=named)
        self._subscriptions[person.index] = subscription["id"]

    def _method(self, person: Person, card: CardFace, cause: Cause) -> str:
        """The payment method of a card; made and attached when it is first used."""
        known = self._methods.get((person.index, card.fingerprint))
        if known is not None:
            return known
        core, customer = self._core, self._customers[person.index]
        wallet = _WALLET if person.tokenized and card == person.card else None
        made = new_card(core.store, created=cause.timestamp, scope=customer, wallet=wallet, **_details(card))
        made["customer"] = customer
        emit(core, cause, "payment_method.attached", made)
        self._methods[person.index, card.fingerprint] = made["id"]
        return str(made["id"])

    def _plan(self, person: Person, plans: list[life.Plan]) -> None:
        for number, (at, deed) in enumerate(plans):
            key = f"{person.index:08d}/{type(deed).__name__}/{number}"
            self._core.agenda.add(at, key, partial(self._do, person, deed))

    def _do(self, person: Person, deed: life.Deed, at: datetime) -> None:
        """Perform one deed at its instant; a customer's own deeds carry a request, as from a browser."""
        gateway = Cause(initiator="gateway", at=at)
        match deed:
            case life.Renew():
                self._renew(person, gateway)
            case life.CardUpdated(card=card):
                method = self._methods[person.index, person.card.fingerprint]
                refresh_card(self._core, method, gateway, **_details(card))
            case life.PayOnPage():
                self._pay(person, deed, at)
            case life.SaveCard(card=card):
                cause = self._browser(person, at)
                method = self._method(person, card, cause)
                hosted.save_card_as_customer(self._core, self._customers[person.index], method, cause)
            case life.Cancel(feedback=feedback):
                self._cancel(person, feedback, at)
            case life.Refund() | life.Dispute():
                self._give_back(deed, Cause(initiator="world", at=at))

    def _browser(self, person: Person, at: datetime) -> Cause:
        request_id = self._core.store.new_id("req", f"pages/{person.index}")
        return Cause(initiator="customer", at=at, request_id=request_id)

    def _renew(self, person: Person, cause: Cause) -> None:
        subscription = self._core.store.get("subscription", self._subscriptions[person.index])
        if subscription["status"] == "canceled":
            return
        item = subscription["items"]["data"][0]
        item["current_period_start"] = cause.timestamp
        renew(self._core, subscription, cause, terms=_terms(person))

    def _open_invoice(self, person: Person) -> Json | None:
        rows = self._core.store.newest("invoice", "customer", self._customers[person.index])
        return next((row for row in rows if row["status"] == "open"), None)

    def _pay(self, person: Person, deed: life.PayOnPage, at: datetime) -> None:
        invoice = self._open_invoice(person)
        if invoice is None:
            return  # somebody was quicker
        if invoice["id"] in self._core.store.busy:
            self._plan(person, [(at + _LOOKS_AGAIN, deed)])
            return
        cause = self._browser(person, at)
        method = self._method(person, deed.card, cause) if deed.card else None
        hosted.pay_as_customer(self._core, invoice["id"], method=method, cause=cause)

    def _cancel(self, person: Person, feedback: str, at: datetime) -> None:
        subscription = self._core.store.get("subscription", self._subscriptions[person.index])
        if subscription["status"] != "canceled":
            billing.cancel_subscription(
                self._core,
                subscription,
                self._browser(person, at),
                reason="cancellation_requested",
                feedback=feedback,
            )

    def _give_back(self, deed: life.Refund | life.Dispute, cause: Cause) -> None:
        core, charge = self._core, self._core.store.get("charge", deed.charge)
        left = charge["amount_captured"] - charge["amount_refunded"]
        if left <= 0 or charge["disputed"]:
            return  # the merchant was quicker
        if isinstance(deed, life.Refund):
            amount = max(1, int(left * deed.share))
            givebacks.refund(core, charge, cause, amount_minor=amount, reason="requested_by_customer")
            return
        dispute = givebacks.open_dispute(core, charge, cause)
        core.agenda.add(deed.closes_at, dispute["id"], partial(self._close, dispute, won=deed.won))

    def _close(self, dispute: Json, at: datetime, *, won: bool) -> None:
        givebacks.close_dispute(self._core, dispute, Cause(initiator="world", at=at), won=won)

    def _mailed(self, address: str, at: datetime) -> bool:
        person = self._by_email.get(address)
        if person is None:
            return False
        number = self._mails.get(person.index, 0) + 1
        self._mails[person.index] = number
        world = self._world
        self._plan(person, life.after_mail(world.seed, world.parameters, person, at=at, number=number))
        return True

    def _charged(self, charge: Json, at: datetime) -> None:
        person = self._people.get(charge["customer"])
        if person is not None:
            world = self._world
            plans = life.after_charge(world.seed, world.parameters, person, at=at, charge=charge["id"])
            self._plan(person, plans)


def _terms(person: Person) -> Terms:
    return Terms(amount_minor=person.amount_minor, currency=person.place.currency, interval=person.interval)


def _details(card: CardFace) -> Json:
    return {name: getattr(card, name) for name in CardFace.__slots__}
