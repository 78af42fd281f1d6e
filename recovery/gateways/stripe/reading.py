"""Reads of invoices, charges and cards. Without it every question to Stripe would be asked in several ways."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final

from recovery.cases.obligation import Charge, Obligation, ObligationStatus
from recovery.cases.wallet import Wallet
from recovery.gateways.port import Contact, NotFound
from recovery.gateways.stripe.arriving import brought, paid_instants
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.cards import card_of_method, kept_cards
from recovery.gateways.stripe.charges import charge_of, error_about
from recovery.gateways.stripe.fields import Json, flag, ident, mapping, part, rows, text
from recovery.gateways.stripe.invoices import (
    Surroundings,
    created_at,
    currency_of,
    intents_of,
    lone_charges_of,
    obligation_of_invoice,
    subscription_of,
)

PAYMENTS_EXPAND: Final = ["payments.data.payment.payment_intent"]
CARDS_READ_MAX: Final = 50
"""More cards than a person has; a test customer with thousands must not hold up a charge."""

_CUSTOMER_EXPAND: Final = ["invoice_settings.default_payment_method", "default_source"]


class Reading:
    """Answers the port's questions by reading; changes nothing at Stripe."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def obligation(self, name: str) -> Obligation:
        """The invoice with charges, subscription and default card, read afresh."""
        return self._obligation(name)[0]

    def owed(self, name: str) -> tuple[Obligation, Wallet]:
        """The same and, while it is open, the customer's cards: what was read for the one is not read again for the other."""
        obligation, subscription, customer = self._obligation(name)
        if obligation.status is not ObligationStatus.OPEN:
            return obligation, Wallet()
        if customer is None and obligation.customer:
            customer = self._customer(obligation.customer)
        return obligation, self._wallet(obligation.customer, subscription, customer)

    def _obligation(self, name: str) -> tuple[Obligation, Json | None, Json | None]:
        """The obligation, and the subscription and the customer as they were read for it."""
        expand = PAYMENTS_EXPAND + [f"customer.{path}" for path in _CUSTOMER_EXPAND]
        invoice = self._calls.read(self._calls.to("invoices", name), {"expand": expand})
        payments = list(self._payments(invoice))
        intents = intents_of(invoice, payments)
        raw = self._charges(intents, lone_charges_of(invoice, payments))
        subscription, customer = self._subscription(subscription_of(invoice)), mapping(invoice, "customer")
        around = Surroundings(
            charges=brought(
                _ordered(raw, intents, currency=currency_of(invoice), otherwise=created_at(invoice)),
                raw,
                paid_instants(invoice, payments),
            ),
            last_charge=max(raw, key=lambda one: created_at(one), default=None),
            intents=intents,
            subscription=subscription,
            method=self._default_method(subscription, customer),
        )
        return obligation_of_invoice(invoice, around), subscription, customer

    def wallet(self, obligation: Obligation) -> Wallet:
        """The customer's cards, read afresh. The default is None when it is no card, or there is none."""
        return self.wallet_of(obligation.customer, obligation.subscription)

    def wallet_of(self, name: str, subscription: str | None) -> Wallet:
        """The same by the customer's id."""
        customer = self._customer(name) if name else None
        return self._wallet(name, self._subscription(subscription), customer)

    def _wallet(self, named: str, subscription: Json | None, customer: Json | None) -> Wallet:
        """``named`` is the customer whom the invoice names."""
        name = ident(customer)
        listed = self._saved_cards(name) if name and not flag(customer, "deleted") else []
        wishes = (_wishes(subscription, None), _wishes(None, customer))
        defaults = (self._wished(*wishes[0]), self._wished(*wishes[1]))
        odd = [*_odd_customer(named, customer), *_odd_defaults(wishes, defaults)]
        default = card_of_method(defaults[0] or defaults[1])
        return Wallet(default=default, cards=kept_cards(defaults, listed, customer), odd=tuple(odd))

    def _customer(self, name: str) -> dict[str, Any] | None:
        return self._existing(self._calls.to("customers", name), {"expand": _CUSTOMER_EXPAND})

    def _saved_cards(self, customer: str) -> list[dict[str, Any]]:
        """The cards that a customer has saved, newest first; a customer of hundreds is cut off."""
        params = {"customer": customer, "type": "card"}
        try:
            return list(islice(self._calls.pages(self._calls.to("payment_methods"), params), CARDS_READ_MAX))
        except NotFound:
            return []

    def charge(self, name: str) -> dict[str, Any]:
        """One charge's JSON."""
        return self._calls.read(self._calls.to("charges", name))

    def obligation_of(self, *, payment_intent: str | None, charge: Json | None) -> str | None:
        """The invoice of a payment, by the charge's own word in old shapes, else through invoice payments."""
        named = ident(charge, "invoice") or ident(charge, "payment_intent", "invoice")
        intent = payment_intent or ident(charge, "payment_intent")
        if named is not None or intent is None:
            return named
        params = {"payment": {"type": "payment_intent", "payment_intent": intent}}
        payments = self._calls.pages(self._calls.to("invoice_payments"), params)
        return next((found for payment in payments if (found := ident(payment, "invoice"))), None)

    def open_obligations(self, customer: str) -> tuple[str, ...]:
        """The customer's open invoices, oldest first."""
        found = list(self._calls.pages(self._calls.to("invoices"), {"customer": customer, "status": "open"}))
        found.reverse()  # equal instants keep Stripe's order, oldest first
        return tuple(name for one in sorted(found, key=created_at) if (name := ident(one)))

    def contact(self, obligation: str) -> Contact:
        """Where to write to, and the page where this invoice can be paid."""
        invoice = self._calls.read(self._calls.to("invoices", obligation), {"expand": ["customer"]})
        customer = mapping(invoice, "customer")
        locales = part(customer, "preferred_locales")
        return Contact(
            email=text(customer, "email") or text(invoice, "customer_email"),
            name=text(customer, "name") or text(invoice, "customer_name"),
            locale=text(locales[0]) if isinstance(locales, list) and locales else None,
            hosted_url=text(invoice, "hosted_invoice_url"),
        )

    def _payments(self, invoice: Json) -> Iterator[Json]:
        listed = mapping(invoice, "payments")
        if listed is None or not flag(listed, "has_more"):
            return rows(invoice, "payments")
        params = {"invoice": ident(invoice), "expand": ["data.payment.payment_intent"]}
        return iter(list(self._calls.pages(self._calls.to("invoice_payments"), params)))

    def _charges(self, intents: tuple[Json, ...], lone: tuple[str, ...]) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for intent in intents:
            for charge in self._calls.pages(self._calls.to("charges"), {"payment_intent": intent["id"]}):
                found[text(charge, "id") or ""] = charge
        for name in lone:
            if name not in found:
                found[name] = self.charge(name)
        return list(found.values())

    def _subscription(self, name: str | None) -> dict[str, Any] | None:
        if name is None:
            return None
        expand = {"expand": ["default_payment_method", "default_source"]}
        return self._existing(self._calls.to("subscriptions", name), expand)

    def _default_method(self, subscription: Json | None, customer: Json | None) -> Json | None:
        """Stripe's own order; the first that is set wins, whatever its kind."""
        return self._wished(*_wishes(subscription, customer))

    def _wished(self, *wishes: object) -> Json | None:
        wanted = next((wish for wish in wishes if wish), None)
        if isinstance(wanted, str):
            return self._existing(self._calls.to("payment_methods", wanted))
        return mapping(wanted)

    def _existing(self, get: Callable[..., object], *arguments: object) -> dict[str, Any] | None:
        """The object, or None if it is gone: a card may be removed between two reads."""
        try:
            return self._calls.read(get, *arguments)
        except NotFound:
            return None


def _wishes(subscription: Json | None, customer: Json | None) -> tuple[object, ...]:
    return (
        part(subscription, "default_payment_method"),
        part(subscription, "default_source"),
        part(customer, "invoice_settings", "default_payment_method"),
        part(customer, "default_source"),
    )


def _odd_customer(name: str, customer: Json | None) -> Iterator[str]:
    if not name:
        yield "the invoice names no customer"
    elif customer is None:
        yield "the customer is gone"
    elif flag(customer, "deleted"):
        yield "the customer is deleted"


def _odd_defaults(wishes: tuple[tuple[object, ...], ...], found: tuple[Json | None, ...]) -> Iterator[str]:
    """Defaults that lead nowhere: a card that is gone, or a payment method of kind card without one."""
    for whose, wanted, method in zip(("subscription", "customer"), wishes, found, strict=True):
        if method is None and any(wanted):
            yield f"the {whose}'s default payment method is gone"
        elif method is not None and text(method, "type") == "card" and card_of_method(method) is None:
            yield f"the {whose}'s default payment method has no card"


def _ordered(
    raw: list[dict[str, Any]], intents: tuple[Json, ...], *, currency: str, otherwise: datetime
) -> tuple[Charge, ...]:
    """Oldest first; charges of one second keep Stripe's order, which is newest first."""
    found = []
    for charge in reversed(raw):
        about = (
            error_about(intent, ident(charge)) for intent in intents if intent["id"] == ident(charge, "payment_intent")
        )
        error = next((one for one in about if one is not None), None)
        found.append(charge_of(charge, currency=currency, created_at=otherwise, error=error))
    return tuple(sorted(found, key=lambda one: one.created_at))
