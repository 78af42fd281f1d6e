"""Handy makers and levers of a sandbox: customers, cards, failed invoices, and what befalls them.

Without them every test would need ten API calls before its first line that matters.
"""

from __future__ import annotations

from collections.abc import Iterable

from recovery.simulation.answers import Answer
from recovery.simulation.sandbox import billing, hosted
from recovery.simulation.sandbox.billing import Terms
from recovery.simulation.sandbox.cards import from_test_name, new_card, new_debit, script
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json, JsonValue
from recovery.simulation.sandbox.events import emit
from recovery.simulation.sandbox.renewals import renew
from recovery.simulation.sandbox.templates import build

Behaviour = str | Iterable[str | Answer]
"""One of Stripe's test names, one answer, or what a card answers in turn (the last one for ever)."""


class Makers:
    """Levers on one core; each takes the lock for itself."""

    core: Core

    def make_customer(
        self,
        *,
        email: str = "customer@example.com",
        name: str = "Test Customer",
        country: str = "US",
        state: str | None = None,
        locales: Iterable[str] = ("en",),
    ) -> str:
        """A new customer's id."""
        with self.core.store.lock:
            cause = self.core.cause("world")
            empty = dict.fromkeys(("city", "line1", "line2", "postal_code"))
            made = build(
                "customer",
                self.core.store.new_id("cus"),
                address=empty | {"country": country, "state": state},
                created=cause.timestamp,
                email=email,
                name=name,
                preferred_locales=list(locales),
            )
            emit(self.core, cause, "customer.created", self.core.store.add(made))
            return str(made["id"])

    def make_card(
        self, customer: str, behaviour: Behaviour | None = None, *, default: bool = True, **details: JsonValue
    ) -> str:
        """A card attached to the customer (and, by default, the customer's default); its id.

        `details` are fields of the card: brand, funding, country, exp_month, exp_year, last4, fingerprint.
        None as behaviour leaves the answers to the sandbox's bank.
        """
        with self.core.store.lock:
            store, created = self.core.store, self.core.cause("world").timestamp
            made = None
            if isinstance(behaviour, str):
                made = from_test_name(store, behaviour, created=created, scope=customer)
                behaviour = [behaviour]
            if made is None:
                made = new_card(store, created=created, scope=customer, **details)
                if behaviour is not None:
                    script(store, made["card"]["fingerprint"], list(behaviour), brand=made["card"]["brand"])
            return self._attach(made, customer, default=default)

    def make_debit(self, customer: str, kind: str = "sepa_debit", *, default: bool = True) -> str:
        """A payment method that is no card, attached to the customer; its payments process for a while."""
        with self.core.store.lock:
            made = new_debit(self.core.store, kind, created=self.core.cause("world").timestamp, scope=customer)
            script(self.core.store, made[kind]["fingerprint"], ["processing"], brand=kind)
            return self._attach(made, customer, default=default)

    def _attach(self, method: Json, customer: str, *, default: bool) -> str:
        cause = self.core.cause("world")
        method["customer"] = customer
        emit(self.core, cause, "payment_method.attached", method)
        if default:
            hosted.save_card_as_customer(self.core, customer, method["id"], cause)
        return str(method["id"])

    def make_subscription(
        self, customer: str, *, amount_minor: int = 4900, currency: str = "usd", interval: str = "month"
    ) -> str:
        """An active subscription's id."""
        terms = Terms(amount_minor=amount_minor, currency=currency, interval=interval)
        with self.core.store.lock:
            made = billing.new_subscription(self.core, customer, terms, self.core.cause("world"))
            return str(made["id"])

    def make_failed_invoice(
        self,
        customer: str | None = None,
        *,
        amount_minor: int = 4900,
        currency: str = "usd",
        behaviour: Behaviour | None = None,
        subscription: str | None = None,
    ) -> str:
        """A renewal whose first attempt by the gateway has just been made; the invoice's id.

        With `behaviour` a new default card is made; its first answer is the one the gateway gets. The customer is
        made when not given; so is the subscription, unless the customer has one, whose newest is renewed then.
        """
        customer = customer or self.make_customer()
        if behaviour is not None:
            self.make_card(customer, behaviour)
        return self._renew(customer, Terms(amount_minor=amount_minor, currency=currency), subscription)

    def make_signup_invoice(self, behaviour: Behaviour, *, amount_minor: int = 4900, currency: str = "usd") -> str:
        """The first invoice of a new subscription (`subscription_create`), tried once; the invoice's id."""
        customer = self.make_customer()
        self.make_card(customer, behaviour)
        terms = Terms(amount_minor=amount_minor, currency=currency, billing_reason="subscription_create")
        return self._renew(customer, terms, None)

    def _renew(self, customer: str, terms: Terms, subscription: str | None) -> str:
        store = self.core.store
        with store.lock:
            if subscription is not None:
                sold = store.get("subscription", subscription)
            else:
                found = next(store.newest("subscription", "customer", customer), None)
                sold = found or billing.new_subscription(self.core, customer, terms, self.core.cause("world"))
            return str(renew(self.core, sold, self.core.cause("gateway"), terms=terms)["id"])
